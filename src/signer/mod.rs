//! Layer 2, the cryptography: keys, signing, verifying, sealing. No other module uses cryptography directly,
//! and this module knows nothing of the database.
//!
//! - [`PublicKey`], [`PrivateKey`]: keys that were parsed and checked; [`generate()`] and [`import()`] create them.
//! - [`Engine`]: aws-lc, lanes and rsa, each of which opens a [`Signer`] or a [`Verifier`].
//! - [`MasterKey`], [`seal()`], [`unseal`]: private keys as stored in the database.
//! - [`MasterKeys`]: the master keys of a process, and where it reads them: a [`MasterKeySource`].
//! - [`Keyring`], [`KeyFiles`], [`Token`]: open a stored key as a signer, in one step. [`Custodians`] knows which of them has it.
//! - [`CertificateChain`]: the certificates of a key of ours, checked.
//! - [`WebhookSecret`]: signs the messages to a webhook, which are no records.
//! - [`LedgerKey`]: signs the heads of the ledger, which are no records.
//! - [`random_secret`], [`is_same_secret`], [`read_secret`]: secrets that are not keys. [`certificate_key`]: whose certificate it is.
//! - [`digest`]: computes the digest of a payload, which is what is signed.

mod aws_lc;
mod certificate;
mod certificate_chain;
mod check;
mod custodians;
mod each;
mod engine;
mod error;
mod generate;
mod hash;
mod import;
mod key_files;
mod key_flaw;
mod keyring;
mod lanes;
mod ledger_key;
mod master_key;
mod master_key_command;
mod master_key_id;
mod master_keys;
mod numbers;
mod passphrase;
mod pem;
mod private_key;
mod public_key;
mod restriction;
mod roca;
mod rustcrypto;
mod seal;
mod sealed_secret;
mod secret;
mod secret_file;
pub mod token;
mod webhook_secret;

pub use certificate::{certificate_expiry_of_der, certificate_key, certificate_key_of_der};
pub use certificate_chain::{CertificateChain, ChainFlaw};
pub use custodians::Custodians;
pub use engine::{Engine, UnknownEngine};
pub use error::SignerError;
pub use generate::generate;
pub use hash::digest;
pub use import::import;
pub use key_files::KeyFiles;
pub use key_flaw::KeyFlaw;
pub use keyring::{Keyring, OpenSigner};
pub use lanes::LANES;
pub use ledger_key::{LedgerKey, verify_with_ledger_key};
pub use master_key::MasterKey;
pub use master_key_command::{MasterKeyCommand, UnknownCommand};
pub use master_key_id::MasterKeyId;
pub use master_keys::{MasterKeySource, MasterKeys};
pub use passphrase::Passphrase;
pub use private_key::PrivateKey;
pub use public_key::PublicKey;
pub use seal::{seal, unseal};
pub use secret::{is_same_secret, random_secret, read_secret};
pub use secret_file::read_secret_file;
pub use token::{Token, TokenSettings};
pub use webhook_secret::WebhookSecret;

use crate::domain::{Digest, Scheme, SignatureBuf};

/// What can sign with one private key: software, or a hardware token.
///
/// `sign` takes `&mut self`, and one actor owns each signer, so a process cannot use a key twice at once.
pub trait Signer: Send {
    /// The public half, to verify with.
    fn public_key(&self) -> &PublicKey;

    /// Whether the signer checks the result of each operation, by raising it to the public exponent, before it
    /// returns the result. A fault in the computation is then an error, and reveals no prime. The signatures of
    /// other signers are verified with the stored public key before they are stored. This method has no default,
    /// so that the author of a new signer must decide.
    fn checks_itself(&self) -> bool;

    /// Signs each digest in turn and appends the signatures to `out`, each as long as the modulus.
    ///
    /// # Errors
    /// When an operation fails; `out` then holds the signatures made before it.
    fn sign(&mut self, scheme: Scheme, digests: &[Digest], out: &mut SignatureBuf)
    -> Result<(), SignerError>;
}

/// What can check signatures of one public key.
pub trait Verifier: Send + Sync {
    /// Whether `signature` is the key's signature of `digest` under exactly this `scheme`: the length, the hash
    /// function and, for PSS, the length of the salt must be those of the scheme.
    fn verify(&self, scheme: Scheme, digest: &Digest, signature: &[u8]) -> bool;

    /// Verifies several signatures, each of the digest beside it, and returns a verdict for each: the same as
    /// [`verify`](Self::verify). An engine may be faster with [`LANES`] at a time.
    fn verify_all(&self, scheme: Scheme, signed: &[(Digest, &[u8])]) -> Vec<bool> {
        signed.iter().map(|(digest, signature)| self.verify(scheme, digest, signature)).collect()
    }
}
