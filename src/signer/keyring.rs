//! Opens stored keys as signers.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Engine, LedgerKey, MasterKey, MasterKeys, PrivateKey, PublicKey, Signer, SignerError, WebhookSecret,
};
use crate::domain::{KeyMaterial, Reach, StoredKey, WebhookName};

/// Opens the signer of a stored key.
pub trait OpenSigner: Send + Sync {
    /// Opens a key.
    ///
    /// # Errors
    /// When the private half cannot be reached, does not open, or belongs to another key.
    fn open(&self, key: &StoredKey) -> Result<Box<dyn Signer>, SignerError>;

    /// The custodians whose keys it can open now. Only their keys are leased.
    fn reach(&self) -> Reach {
        Reach::default()
    }

    /// The custodians that sign outside this process, each with how many batches it signs at a time, also while it
    /// cannot be reached. The keys of all others are used on the signing threads. Asked once, at the start of a run.
    fn sessions(&self) -> BTreeMap<String, usize> {
        BTreeMap::new()
    }
}

/// Opens keys that are sealed under the master keys of this process.
#[derive(Debug)]
pub struct Keyring {
    engine: Engine,
    /// Shared by the keyrings of a process, which differ in their engines.
    masters: Arc<MasterKeys>,
}

impl Keyring {
    /// A keyring with one master key, whose signers use `engine`.
    pub fn new(engine: Engine, master: MasterKey) -> Self {
        Self::of(engine, MasterKeys::given(master, None))
    }

    /// A keyring with these master keys, whose signers use `engine`.
    pub fn of(engine: Engine, masters: MasterKeys) -> Self {
        Self { engine, masters: Arc::new(masters) }
    }

    /// A keyring for the same keys whose signers use `engine`.
    pub fn with_engine(&self, engine: Engine) -> Self {
        Self { engine, masters: Arc::clone(&self.masters) }
    }

    /// Seals a new private key, for its row in the database.
    ///
    /// # Errors
    /// [`SignerError::NoMasterKey`] when this process has no master key; those of reading the file and of sealing.
    pub fn seal(&self, key: &PrivateKey) -> Result<KeyMaterial, SignerError> {
        self.masters.seal(key).map(KeyMaterial::Sealed)
    }
}

/// What belongs to the secrets of webhooks.
impl Keyring {
    /// Whether there may be a master key, with which secrets can be sealed and opened.
    pub fn has_master_key(&self) -> bool {
        self.masters.may_exist()
    }

    /// Seals the secret of a webhook, for its row in the database.
    ///
    /// # Errors
    /// As [`MasterKeys::seal_webhook_secret`].
    pub fn seal_webhook_secret(
        &self,
        webhook: &WebhookName,
        secret: &WebhookSecret,
    ) -> Result<Vec<u8>, SignerError> {
        self.masters.seal_webhook_secret(webhook, secret)
    }

    /// Opens the secret of a webhook.
    ///
    /// # Errors
    /// As [`MasterKeys::unseal_webhook_secret`].
    pub fn unseal_webhook_secret(
        &self,
        webhook: &WebhookName,
        sealed: &[u8],
    ) -> Result<WebhookSecret, SignerError> {
        self.masters.unseal_webhook_secret(webhook, sealed)
    }
}

/// What belongs to the key of the ledger.
impl Keyring {
    /// Seals the key of the ledger, for its row in the database.
    ///
    /// # Errors
    /// As [`MasterKeys::seal_ledger_key`].
    pub fn seal_ledger_key(&self, key: &LedgerKey) -> Result<Vec<u8>, SignerError> {
        self.masters.seal_ledger_key(key)
    }

    /// Opens the key of the ledger.
    ///
    /// # Errors
    /// As [`MasterKeys::unseal_ledger_key`].
    pub fn unseal_ledger_key(&self, public: &[u8; 32], sealed: &[u8]) -> Result<LedgerKey, SignerError> {
        self.masters.unseal_ledger_key(public, sealed)
    }
}

impl OpenSigner for Keyring {
    fn open(&self, key: &StoredKey) -> Result<Box<dyn Signer>, SignerError> {
        let fingerprint = key.fingerprint;
        if PublicKey::from_spki(&key.public_key)?.fingerprint() != fingerprint {
            return Err(SignerError::Mismatch { fingerprint, part: "public key" });
        }
        match &key.material {
            KeyMaterial::Sealed(sealed) => self.engine.signer(&self.masters.unseal(&fingerprint, sealed)?),
            KeyMaterial::Elsewhere { custody, .. } => {
                Err(SignerError::UnknownCustody { fingerprint, custody: custody.clone() })
            }
        }
    }

    /// Nothing, while there is no master key.
    fn reach(&self) -> Reach {
        if self.masters.may_exist() { Reach::default() } else { Reach::of([]) }
    }
}
