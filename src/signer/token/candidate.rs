//! What a key of a token must be before it is added.

use std::time::Instant;

use super::{Location, TokenAccess, protocol::TokenKey};
use crate::{
    domain::Scheme,
    signer::{Engine, KeyFlaw, PublicKey, SignerError, digest, roca},
};

/// A key of a token that may be added.
#[derive(Debug)]
pub struct Candidate {
    /// The public half.
    pub public_key: PublicKey,
    /// Where the private half is.
    pub location: Location,
    /// What is not as safe as it could be, in words.
    pub warnings: Vec<&'static str>,
}

/// How many signatures a rate is measured with.
const MEASURED: usize = 16;

impl Candidate {
    /// Looks at what the token of a custodian says of a key. All its keys with the same id or label are `among`.
    ///
    /// # Errors
    /// Why the key must not be used: it is no RSA key, has a size or an exponent that imports refuse, was made by a flawed
    /// generator, cannot be told apart from another, or may not sign without a PIN each time.
    pub fn of(custodian: &str, key: &TokenKey, among: &[TokenKey]) -> Result<Self, SignerError> {
        let refused = |reason: &str| {
            Err(SignerError::KeyInToken { custodian: custodian.to_owned(), reason: reason.to_owned() })
        };
        if !key.is_rsa {
            return refused("it is not an RSA key");
        }
        if key.always_authenticates == Some(true) {
            return refused(
                "the token asks for the PIN before each signature (CKA_ALWAYS_AUTHENTICATE): use a key without that",
            );
        }
        if key.signs == Some(false) {
            return refused("the token does not sign with it (CKA_SIGN is false): use a key for signing");
        }
        let (Some(modulus), Some(exponent)) = (&key.modulus, &key.exponent) else {
            return refused(
                "the token does not show its public half: store the public key, with the same id, beside it",
            );
        };
        let public_key = PublicKey::from_numbers(&modulus.0, &exponent.0)?;
        if roca::made(&public_key.components().0) {
            return Err(KeyFlaw::Roca.into());
        }
        let location = match key.location() {
            Ok(location) => location,
            Err(error) => return refused(&error.to_string()),
        };
        // The label alone would do, but an id that two keys have was meant to be one key's.
        let is_same = |other: &&TokenKey| match location.id() {
            Some(id) => other.id.0 == id,
            None => other.label == key.label,
        };
        let same = among.iter().filter(is_same).count();
        if same != 1 {
            return refused(&format!(
                "{same} private keys have this id or label, so that it is not certain which is meant: give each a \
                 different id"
            ));
        }
        Ok(Self { public_key, location, warnings: warnings(key) })
    }

    /// Signs with each scheme, and verifies the signatures.
    ///
    /// # Errors
    /// When the token fails, or some scheme does not work: which, and why not.
    pub fn try_schemes(&self, token: &TokenAccess) -> Result<(), SignerError> {
        let verifier = Engine::default().verifier(&self.public_key)?;
        let mut failed = Vec::new();
        for scheme in Scheme::ALL {
            let digest = digest(scheme.digest(), self.public_key.spki());
            let flaw = match token.sign(&self.public_key, &self.location, scheme, &[digest])? {
                Err(reason) => Some(reason),
                Ok(signatures) => match signatures.as_slice() {
                    [signature] if verifier.verify(scheme, &digest, signature) => None,
                    _ => Some("its signature does not verify".to_owned()),
                },
            };
            failed.extend(flaw.map(|flaw| format!("{scheme} ({flaw})")));
        }
        if failed.is_empty() {
            return Ok(());
        }
        let reason =
            format!("the token does not sign with it as every scheme requires: {}", failed.join(", "));
        Err(SignerError::KeyInToken { custodian: token.custodian().to_owned(), reason })
    }

    /// How many signatures the token makes in a second, with one session.
    ///
    /// # Errors
    /// When the token fails, or does not sign with the key.
    pub fn rate(&self, token: &TokenAccess) -> Result<f64, SignerError> {
        let scheme = Scheme::default();
        let digests = [digest(scheme.digest(), self.public_key.spki()); MEASURED];
        let begun = Instant::now();
        let signed = token.sign(&self.public_key, &self.location, scheme, &digests)?;
        let reason = match signed {
            Ok(signatures) if signatures.len() == MEASURED => {
                return Ok(MEASURED as f64 / begun.elapsed().as_secs_f64());
            }
            Ok(_) => "the token left out a signature".to_owned(),
            Err(reason) => reason,
        };
        Err(SignerError::KeyInToken { custodian: token.custodian().to_owned(), reason })
    }
}

/// What the token does not say is not taken for the better answer.
fn warnings(key: &TokenKey) -> Vec<&'static str> {
    let extractable = match key.is_extractable {
        Some(true) => Some("its private half can be copied out of the token (CKA_EXTRACTABLE)"),
        Some(false) => None,
        None => {
            Some("the token does not say whether its private half can be copied out of it (CKA_EXTRACTABLE)")
        }
    };
    let readable = match key.is_sensitive {
        Some(false) => Some("its private half can be read in the clear (CKA_SENSITIVE is false)"),
        Some(true) => None,
        None => {
            Some("the token does not say whether its private half can be read in the clear (CKA_SENSITIVE)")
        }
    };
    extractable.into_iter().chain(readable).collect()
}
