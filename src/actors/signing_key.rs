//! A key at work: its signer, and what verifies the signer's results before they are stored.

use super::{messages::SignFailed, standing::Permit};
use crate::{
    config::Checking,
    domain::{Digest, Scheme, SignatureBuf},
    signer::{Engine, OpenSigner, PublicKey, Signer, SignerError, Verifier},
    store::StoredKey,
};

/// How many operations are made between two looks at the permit: 2 ms of RSA-2048.
const GROUP: usize = 8;

/// A signer that was opened, with the verifier of its results if they are to be checked.
pub(super) struct SigningKey {
    signer: Box<dyn Signer>,
    verifier: Option<Box<dyn Verifier>>,
}

impl SigningKey {
    pub(super) fn open(
        opener: &dyn OpenSigner,
        key: &StoredKey,
        checking: Checking,
    ) -> Result<Self, SignerError> {
        let signer = opener.open(&key.fingerprint, &key.public_key, key.sealed_key.as_deref())?;
        let verifier = checking.verifies(signer.checks_itself()).then(|| verifier(key)).transpose()?;
        Ok(Self { signer, verifier })
    }

    /// Signs a batch, and checks all of it in the end: what was checked is what will be stored.
    pub(super) fn sign(
        &mut self,
        scheme: Scheme,
        digests: &[Digest],
        permit: &Permit,
    ) -> Result<SignatureBuf, SignFailed> {
        permit.may_start()?;
        let width = self.signer.public_key().modulus_len();
        let mut signatures = SignatureBuf::with_capacity(width, digests.len());
        for group in digests.chunks(GROUP) {
            permit.may_continue()?;
            self.signer.sign(scheme, group, &mut signatures)?;
        }
        self.check(scheme, digests, &signatures, permit)?;
        Ok(signatures)
    }

    /// Over the digests as they were made of the payloads, not as the signer may have left them. Whether
    /// there is a signature for each of them, the lease judges.
    fn check(
        &self,
        scheme: Scheme,
        digests: &[Digest],
        signatures: &SignatureBuf,
        permit: &Permit,
    ) -> Result<(), SignFailed> {
        let Some(verifier) = &self.verifier else { return Ok(()) };
        for (i, (digest, signature)) in digests.iter().zip(signatures.iter()).enumerate() {
            if i % GROUP == 0 {
                permit.may_continue()?;
            }
            if !verifier.verify(scheme, digest, signature) {
                return Err(SignFailed::NotVerified { nth: i + 1, of: digests.len() });
            }
        }
        Ok(())
    }
}

/// The public key is the one in the database, which is what everybody else verifies with.
fn verifier(key: &StoredKey) -> Result<Box<dyn Verifier>, SignerError> {
    let public_key = PublicKey::from_spki(&key.public_key)?;
    if public_key.fingerprint() != key.fingerprint {
        return Err(SignerError::Mismatch { fingerprint: key.fingerprint, part: "public key" });
    }
    Engine::default().verifier(&public_key)
}
