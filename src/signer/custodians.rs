//! Opens each key where its private half is kept.

use std::{collections::BTreeMap, sync::Arc};

use super::{KeyFiles, Keyring, OpenSigner, PublicKey, Signer, SignerError, Token, token::TokenSigner};
use crate::domain::{KeyMaterial, Reach, StoredKey};

/// The custodians of a process: the database, whose keys the keyring opens, and those that its settings name.
pub struct Custodians {
    keyring: Arc<Keyring>,
    files: BTreeMap<String, KeyFiles>,
    tokens: BTreeMap<String, Arc<Token>>,
}

impl Custodians {
    /// The keyring for the keys in the database, and directories of key files and tokens by the names of the custodians.
    pub fn new(
        keyring: Arc<Keyring>,
        files: BTreeMap<String, KeyFiles>,
        tokens: BTreeMap<String, Arc<Token>>,
    ) -> Self {
        Self { keyring, files, tokens }
    }
}

impl OpenSigner for Custodians {
    fn open(&self, key: &StoredKey) -> Result<Box<dyn Signer>, SignerError> {
        let fingerprint = key.fingerprint;
        let KeyMaterial::Elsewhere { custody, location } = &key.material else {
            return self.keyring.open(key);
        };
        let public_key = PublicKey::from_spki(&key.public_key)?;
        if public_key.fingerprint() != fingerprint {
            return Err(SignerError::Mismatch { fingerprint, part: "public key" });
        }
        if let Some(token) = self.tokens.get(custody) {
            return Ok(Box::new(TokenSigner::new(Arc::clone(token), public_key, location)?));
        }
        let Some(files) = self.files.get(custody) else {
            return Err(SignerError::UnknownCustody { fingerprint, custody: custody.clone() });
        };
        files.open(fingerprint, location).map_err(|error| match files.look() {
            Ok(()) => error,
            // The directory has gone, so that no key of it can be blamed.
            Err(gone) => SignerError::CustodianDown { custodian: custody.clone(), reason: gone.to_string() },
        })
    }

    fn reach(&self) -> Reach {
        let files = self.files.iter().filter(|(_, files)| files.look().is_ok()).map(|(name, _)| name.clone());
        let tokens = self.tokens.iter().filter(|(_, token)| token.is_up()).map(|(name, _)| name.clone());
        Reach::of(self.keyring.reach().names().map(str::to_owned).chain(files).chain(tokens))
    }

    fn sessions(&self) -> BTreeMap<String, usize> {
        self.tokens.iter().map(|(name, token)| (name.clone(), token.sessions())).collect()
    }
}
