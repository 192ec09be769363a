//! An opened key: its signer, and the verifier of the signer's results.

use super::{messages::SignFailed, standing::Permit};
use crate::{
    config::Checking,
    domain::{Digest, Scheme, SignatureBuf, StoredKey},
    signer::{Engine, OpenSigner, PublicKey, Signer, SignerError, Verifier},
};

/// How many verifications are made between two checks of the permit: about 2 ms of RSA-2048.
const VERIFIED_AT_A_TIME: usize = 128;

/// An opened signer, with a verifier if its results must be checked.
pub(super) struct SigningKey {
    signer: Box<dyn Signer>,
    verifier: Option<Box<dyn Verifier>>,
    custody: String,
}

impl SigningKey {
    pub(super) fn open(
        opener: &dyn OpenSigner,
        key: &StoredKey,
        checking: Checking,
    ) -> Result<Self, SignerError> {
        let signer = opener.open(key)?;
        let verifier = checking.verifies(signer.checks_itself()).then(|| verifier(key)).transpose()?;
        Ok(Self { signer, verifier, custody: key.material.columns().0.to_owned() })
    }

    /// Who has custody of the key.
    pub(super) fn custody(&self) -> &str {
        &self.custody
    }

    /// Bytes per signature.
    pub(super) fn modulus_len(&self) -> usize {
        self.signer.public_key().modulus_len()
    }

    /// Whether its signatures are checked.
    pub(super) fn is_checked(&self) -> bool {
        self.verifier.is_some()
    }

    /// See [`Signer::sign`].
    pub(super) fn sign(
        &mut self,
        scheme: Scheme,
        digests: &[Digest],
        out: &mut SignatureBuf,
    ) -> Result<(), SignerError> {
        self.signer.sign(scheme, digests, out)
    }

    /// Verifies the signatures of a batch, if they are checked.
    ///
    /// `digests` are the digests that were computed from the payloads, not a copy that the signer could have
    /// changed. The lease checks that the number of signatures is right.
    pub(super) fn check(
        &self,
        scheme: Scheme,
        digests: &[Digest],
        signatures: &SignatureBuf,
        permit: &Permit,
    ) -> Result<(), SignFailed> {
        let Some(verifier) = &self.verifier else { return Ok(()) };
        for (i, (digest, signature)) in digests.iter().zip(signatures.iter()).enumerate() {
            if i % VERIFIED_AT_A_TIME == 0 {
                permit.may_continue()?;
            }
            if !verifier.verify(scheme, digest, signature) {
                return Err(SignFailed::NotVerified { nth: i + 1, of: digests.len() });
            }
        }
        Ok(())
    }
}

/// Uses the public key in the database, because all other programs verify with that key.
fn verifier(key: &StoredKey) -> Result<Box<dyn Verifier>, SignerError> {
    let public_key = PublicKey::from_spki(&key.public_key)?;
    if public_key.fingerprint() != key.fingerprint {
        return Err(SignerError::Mismatch { fingerprint: key.fingerprint, part: "public key" });
    }
    Engine::default().verifier(&public_key)
}
