//! Opens stored keys as signers.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use super::{Engine, MasterKey, PrivateKey, PublicKey, Signer, SignerError, seal, unseal};
use crate::domain::{Fingerprint, KeyMaterial, StoredKey};

/// Opens the signer of a stored key.
pub trait OpenSigner: Send + Sync {
    /// Opens a key.
    ///
    /// # Errors
    /// When the private half cannot be reached, does not open, or belongs to another key.
    fn open(&self, key: &StoredKey) -> Result<Box<dyn Signer>, SignerError>;
}

/// Opens keys that are sealed under one master key.
#[derive(Debug)]
pub struct Keyring {
    engine: Engine,
    /// Shared by the keyrings of a process, which differ in their engines.
    master: OnceLock<Arc<MasterKey>>,
    file: Option<PathBuf>,
}

impl Keyring {
    /// A keyring whose signers use `engine`.
    pub fn new(engine: Engine, master: MasterKey) -> Self {
        Self { engine, master: Arc::new(master).into(), file: None }
    }

    /// A keyring that reads its master key from `file` when it opens the first sealed key.
    pub fn locked(engine: Engine, file: Option<PathBuf>) -> Self {
        Self { engine, master: OnceLock::new(), file }
    }

    /// A keyring for the same keys whose signers use `engine`.
    pub fn with_engine(&self, engine: Engine) -> Self {
        Self { engine, master: self.master.clone(), file: self.file.clone() }
    }

    /// Seals a new private key, for its row in the database.
    ///
    /// # Errors
    /// [`SignerError::NoMasterKey`] when this process has no master key; those of reading the file and of sealing.
    pub fn seal(&self, key: &PrivateKey) -> Result<KeyMaterial, SignerError> {
        let master = self.master(key.public_key().fingerprint())?;
        Ok(KeyMaterial::Sealed(seal(master, key)?))
    }

    fn master(&self, key: Fingerprint) -> Result<&MasterKey, SignerError> {
        if let Some(master) = self.master.get() {
            return Ok(master);
        }
        let file = self.file.as_ref().ok_or(SignerError::NoMasterKey(key))?;
        let master = MasterKey::read(file)?;
        Ok(self.master.get_or_init(|| Arc::new(master)))
    }
}

impl OpenSigner for Keyring {
    fn open(&self, key: &StoredKey) -> Result<Box<dyn Signer>, SignerError> {
        let fingerprint = key.fingerprint;
        if PublicKey::from_spki(&key.public_key)?.fingerprint() != fingerprint {
            return Err(SignerError::Mismatch { fingerprint, part: "public key" });
        }
        match &key.material {
            KeyMaterial::Sealed(sealed) => {
                self.engine.signer(&unseal(self.master(fingerprint)?, &fingerprint, sealed)?)
            }
            KeyMaterial::Elsewhere { custody, .. } => {
                Err(SignerError::UnknownCustody { fingerprint, custody: custody.clone() })
            }
        }
    }
}
