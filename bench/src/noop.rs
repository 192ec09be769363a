//! A signer that does not sign, to measure everything that is not RSA.

use signwave::{
    domain::{Digest, Scheme, SignatureBuf, StoredKey},
    signer::{OpenSigner, PublicKey, Signer, SignerError},
};

/// Fills signatures with zeros, which no key verifies.
struct NoopSigner(PublicKey);

impl Signer for NoopSigner {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    /// The signer claims to check itself, because zeros would pass no check.
    fn checks_itself(&self) -> bool {
        true
    }

    fn sign(&mut self, _: Scheme, digests: &[Digest], out: &mut SignatureBuf) -> Result<(), SignerError> {
        digests.iter().for_each(|_| _ = out.push_zeroed());
        Ok(())
    }
}

/// Opens a no-op signer for every key.
pub struct NoopOpener;

impl OpenSigner for NoopOpener {
    fn open(&self, key: &StoredKey) -> Result<Box<dyn Signer>, SignerError> {
        Ok(Box::new(NoopSigner(PublicKey::from_spki(&key.public_key)?)))
    }
}
