//! The key that signs the heads of the ledger, and how it is sealed.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::{MasterKey, MasterKeys, SignerError, random_secret, sealed_secret::Purpose};

/// The length of the private half.
const SEED: usize = 32;

/// A private Ed25519 key (RFC 8032). It signs what is public: the texts of checkpoints. Both copies of the private half
/// are wiped when they are dropped, and `Debug` does not show it.
pub struct LedgerKey {
    seed: Zeroizing<[u8; SEED]>,
    pair: Ed25519KeyPair,
}

impl LedgerKey {
    /// A new key.
    ///
    /// # Errors
    /// When the library fails.
    ///
    /// # Panics
    /// If the random generator fails, because no key can be made without it.
    pub fn generate() -> Result<Self, SignerError> {
        Self::from_seed(random_secret())
            .ok_or_else(|| SignerError::LedgerKey("could not be generated: try again".to_owned()))
    }

    fn from_seed(seed: Zeroizing<[u8; SEED]>) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).ok()?;
        Some(Self { seed, pair })
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        // The library has it as a slice, whose length is that of every Ed25519 key.
        self.pair.public_key().as_ref().try_into().expect("an Ed25519 key has 32 bytes")
    }

    /// Signs a text. The same text always has the same signature.
    ///
    /// # Errors
    /// When the library fails.
    pub fn sign(&self, text: &str) -> Result<[u8; 64], SignerError> {
        let signature = self.pair.try_sign(text.as_bytes()).ok();
        let signature = signature.and_then(|signature| signature.as_ref().try_into().ok());
        signature.ok_or_else(|| SignerError::LedgerKey("could not sign: try again".to_owned()))
    }
}

impl fmt::Debug for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LedgerKey(..)")
    }
}

/// Whether `signature` is that of `text` by the private half of `public`.
pub fn verify_with_ledger_key(public: &[u8; 32], text: &str, signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(text.as_bytes(), signature).is_ok()
}

impl MasterKeys {
    /// Seals the ledger's key, under the same master key as [`seal`](Self::seal).
    ///
    /// # Errors
    /// [`SignerError::LedgerKey`] when there is no master key; those of the sources.
    pub fn seal_ledger_key(&self, key: &LedgerKey) -> Result<Vec<u8>, SignerError> {
        self.seal_secret(Purpose::LedgerKey(&key.public()), key.seed.as_slice())
    }

    /// Opens the ledger's key that has this public half.
    ///
    /// # Errors
    /// [`SignerError::LedgerKey`] when no known master key opens it, it is damaged or belongs to another public half; those
    /// of the sources.
    pub fn unseal_ledger_key(&self, public: &[u8; 32], sealed: &[u8]) -> Result<LedgerKey, SignerError> {
        let purpose = Purpose::LedgerKey(public);
        let plain = self.unseal_secret(purpose, sealed)?;
        let mut seed = Zeroizing::new([0; SEED]);
        if plain.len() != SEED {
            return Err(purpose.error("has an unknown length: use a newer signwave"));
        }
        seed.copy_from_slice(&plain);
        let key = LedgerKey::from_seed(seed).filter(|key| key.public() == *public);
        key.ok_or_else(|| purpose.error("does not belong to its public half: restore both from a backup"))
    }

    /// Seals the ledger's key under the master key `to`. A key that is sealed under it already is only tried, and the answer
    /// is `None`.
    ///
    /// # Errors
    /// As [`unseal_ledger_key`](Self::unseal_ledger_key).
    pub fn reseal_ledger_key(
        &self,
        to: &MasterKey,
        public: &[u8; 32],
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, SignerError> {
        self.reseal_secret(to, Purpose::LedgerKey(public), sealed)
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, HEXLOWER};

    use super::*;
    use crate::{domain::WebhookName, signer::WebhookSecret};

    fn with_seed(hex: &str) -> LedgerKey {
        let seed: [u8; SEED] = HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap();
        LedgerKey::from_seed(Zeroizing::new(seed)).unwrap()
    }

    #[test]
    fn signatures_are_those_of_the_standard() {
        // RFC 8032, section 7.1, test 1.
        let key = with_seed("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(HEXLOWER.encode(&key.public()), public);
        let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
        assert_eq!(HEXLOWER.encode(&key.sign("").unwrap()), signature);
    }

    #[test]
    fn a_signed_note_of_others_verifies() {
        // The example of Go's package golang.org/x/mod/sumdb/note.
        let public = BASE64.decode(b"ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let public: [u8; 32] = public[1..].try_into().unwrap();
        let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let signature =
            "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let signature = &BASE64.decode(signature.as_bytes()).unwrap()[4..];
        assert!(verify_with_ledger_key(&public, text, signature));
        for at in 0..signature.len() {
            let mut changed = signature.to_vec();
            changed[at] ^= 1;
            assert!(!verify_with_ledger_key(&public, text, &changed), "{at}");
        }
        assert!(!verify_with_ledger_key(&public, &text[1..], signature));
        assert!(!verify_with_ledger_key(&public, text, &signature[..63]));
        assert!(!verify_with_ledger_key(&LedgerKey::generate().unwrap().public(), text, signature));
    }

    #[test]
    fn a_sealed_key_opens_for_its_public_half_and_its_master_key_only() {
        let (old, new) = (MasterKey::generate(), MasterKey::generate());
        let masters = MasterKeys::given(old, None);
        let (key, other) = (LedgerKey::generate().unwrap(), LedgerKey::generate().unwrap());
        let sealed = masters.seal_ledger_key(&key).unwrap();
        assert!(!sealed.windows(8).any(|window| key.seed.windows(8).any(|part| part == window)));
        let opened = masters.unseal_ledger_key(&key.public(), &sealed).unwrap();
        assert_eq!(opened.sign("text"), key.sign("text"));
        assert!(masters.unseal_ledger_key(&other.public(), &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(masters.unseal_ledger_key(&key.public(), &changed).is_err(), "{at}");
        }
        let resealed = masters.reseal_ledger_key(&new, &key.public(), &sealed).unwrap().unwrap();
        assert!(masters.unseal_ledger_key(&key.public(), &resealed).is_err());
        assert_eq!(masters.reseal_ledger_key(&new, &key.public(), &resealed), Ok(None));
        let masters = MasterKeys::given(new, None);
        assert_eq!(masters.unseal_ledger_key(&key.public(), &resealed).unwrap().public(), key.public());
        let error = MasterKeys::default().seal_ledger_key(&key).unwrap_err().to_string();
        assert!(error.starts_with("the ledger's key needs the master key"), "{error}");
    }

    #[test]
    fn no_sealed_secret_stands_for_another() {
        let masters = MasterKeys::given(MasterKey::generate(), None);
        let key = LedgerKey::generate().unwrap();
        let sealed = masters.seal_ledger_key(&key).unwrap();
        // The name has the same bytes as the public half, so that only the purpose differs.
        let name: WebhookName = "a".repeat(32).parse().unwrap();
        let public: [u8; 32] = name.as_str().as_bytes().try_into().unwrap();
        let webhook = masters.seal_webhook_secret(&name, &WebhookSecret::generate()).unwrap();
        let error = SignerError::LedgerKey("is damaged: restore it from a backup".to_owned());
        assert_eq!(masters.unseal_ledger_key(&public, &webhook).unwrap_err(), error);
        let sealed_as_name = masters.seal_secret(Purpose::LedgerKey(&public), key.seed.as_slice()).unwrap();
        assert!(masters.unseal_webhook_secret(&name, &sealed_as_name).is_err());
        assert!(masters.unseal(&crate::domain::Fingerprint(key.public()), &sealed).is_err());
    }

    #[test]
    fn a_key_that_was_sealed_under_a_wrong_public_half_does_not_open() {
        let masters = MasterKeys::given(MasterKey::generate(), None);
        let key = LedgerKey::generate().unwrap();
        let sealed = masters.seal_secret(Purpose::LedgerKey(&[7; 32]), key.seed.as_slice()).unwrap();
        let error = masters.unseal_ledger_key(&[7; 32], &sealed).unwrap_err().to_string();
        assert!(error.starts_with("the ledger's key does not belong to its public half"), "{error}");
        assert_eq!(format!("{key:?}"), "LedgerKey(..)");
    }
}
