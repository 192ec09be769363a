//! A signer that does not sign, to measure everything that is not RSA.

use super::{PublicKey, Signer, SignerError, each::sign_each};
use crate::domain::{Digest, Scheme, SignatureBuf};

/// Fills signatures with zeros, which verify nowhere: only for measuring all that happens around the RSA
/// operation. No [`Engine`](super::Engine) leads here.
#[derive(Debug)]
pub struct NoopSigner {
    public_key: PublicKey,
}

impl NoopSigner {
    /// A signer that pretends to hold the private half of `public_key`.
    pub fn new(public_key: PublicKey) -> Self {
        Self { public_key }
    }
}

impl Signer for NoopSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Nothing would pass. Whoever measures has to turn the check off.
    fn checks_itself(&self) -> bool {
        false
    }

    fn sign(
        &mut self,
        scheme: Scheme,
        digests: &[Digest],
        out: &mut SignatureBuf,
    ) -> Result<(), SignerError> {
        sign_each(&self.public_key, scheme, digests, out, |_, _| Some(()))
    }
}
