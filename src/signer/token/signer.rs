//! A signer whose key is in a token.

use std::sync::Arc;

use super::{
    keeper::Token,
    protocol::{Answer, Blame, Bytes, DIGESTS_AT_MOST, Fault, KeyAddress, ToSign},
};
use crate::{
    domain::{Digest, Scheme, SignatureBuf},
    signer::{LANES, PublicKey, Signer, SignerError, each::sign_each},
};

/// Has a token sign. The key is looked for when it is first used, and again after each start of the token's process.
pub(in crate::signer) struct TokenSigner {
    token: Arc<Token>,
    public_key: PublicKey,
    key: KeyAddress,
}

impl TokenSigner {
    /// The signer of a key, which `location` names.
    ///
    /// # Errors
    /// When `location` names no key of a token.
    pub(in crate::signer) fn new(
        token: Arc<Token>,
        public_key: PublicKey,
        location: &str,
    ) -> Result<Self, SignerError> {
        let location = location.parse().map_err(|error: super::LocationError| SignerError::KeyInToken {
            custodian: token.custodian().to_owned(),
            reason: error.to_string(),
        })?;
        let (modulus, _) = public_key.numbers();
        Ok(Self { token, public_key, key: KeyAddress { location, modulus: Bytes(modulus) } })
    }

    fn ask(&self, scheme: Scheme, digests: &[Digest]) -> Result<Vec<Answer>, SignerError> {
        let digests = digests.iter().map(|digest| Bytes(digest.as_bytes().to_vec())).collect();
        let to_sign = ToSign { key: self.key.clone(), scheme, digests };
        self.token.sign(to_sign).map_err(|fault| error(self.token.custodian(), fault))
    }
}

/// What a fault of a token means.
pub(super) fn error(custodian: &str, Fault { blame, reason }: Fault) -> SignerError {
    let custodian = custodian.to_owned();
    match blame {
        Blame::Key => SignerError::KeyInToken { custodian, reason },
        Blame::Custodian | Blame::Pin => SignerError::CustodianDown { custodian, reason },
    }
}

impl Signer for TokenSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// A token may sign with another key than the one that is meant, or something else than the digest.
    fn checks_itself(&self) -> bool {
        false
    }

    fn sign(
        &mut self,
        scheme: Scheme,
        digests: &[Digest],
        out: &mut SignatureBuf,
    ) -> Result<(), SignerError> {
        const { assert!(LANES <= DIGESTS_AT_MOST) };
        for group in digests.chunks(DIGESTS_AT_MOST) {
            // Nothing is sent that would not be accepted.
            let may_sign = self.public_key.may_sign(scheme)
                && group.iter().all(|digest| digest.algorithm() == scheme.digest());
            let answers = if may_sign { self.ask(scheme, group)? } else { vec![] };
            let mut signatures = answers.into_iter();
            sign_each(&self.public_key, scheme, group, out, |_, place| match signatures.next() {
                Some(Answer::Signature(Bytes(signature))) if signature.len() == place.len() => {
                    place.copy_from_slice(&signature);
                    Some(())
                }
                _ => None,
            })?;
        }
        Ok(())
    }
}
