//! From a key as it is stored to its signer.

use super::{Engine, MasterKey, PublicKey, Signer, SignerError, unseal};
use crate::domain::Fingerprint;

/// What opens the signer of a stored key.
pub trait OpenSigner: Send + Sync {
    /// Opens the key called `fingerprint`, given its DER SubjectPublicKeyInfo and its sealed private half.
    ///
    /// # Errors
    /// When a part is missing, does not open, or is not of this key.
    fn open(
        &self,
        fingerprint: &Fingerprint,
        public_key: &[u8],
        sealed_key: Option<&[u8]>,
    ) -> Result<Box<dyn Signer>, SignerError>;
}

/// Opens keys that are sealed under one master key.
#[derive(Debug)]
pub struct Keyring {
    engine: Engine,
    master: MasterKey,
}

impl Keyring {
    /// A keyring whose signers use `engine`.
    pub fn new(engine: Engine, master: MasterKey) -> Self {
        Self { engine, master }
    }
}

impl OpenSigner for Keyring {
    fn open(
        &self,
        fingerprint: &Fingerprint,
        public_key: &[u8],
        sealed_key: Option<&[u8]>,
    ) -> Result<Box<dyn Signer>, SignerError> {
        let sealed_key = sealed_key.ok_or(SignerError::NoSealedKey(*fingerprint))?;
        if PublicKey::from_spki(public_key)?.fingerprint() != *fingerprint {
            return Err(SignerError::Mismatch { fingerprint: *fingerprint, part: "public key" });
        }
        self.engine.signer(&unseal(&self.master, fingerprint, sealed_key)?)
    }
}
