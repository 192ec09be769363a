//! Layer 2, the cryptography: keys, signing, verifying, sealing. Used here and nowhere else;
//! the database is not known here.
//!
//! - [`PublicKey`], [`PrivateKey`]: keys that were parsed and checked; [`generate()`] and [`import()`] make them.
//! - [`Engine`]: the two libraries, each of which opens a [`Signer`] or a [`Verifier`].
//! - [`MasterKey`], [`seal()`], [`unseal`]: private keys as they lie in the database.
//! - [`Keyring`]: from a stored key to its signer, in one step.
//! - [`digest`]: what is signed, from a payload.

mod aws_lc;
mod check;
mod each;
mod engine;
mod error;
mod generate;
mod hash;
mod import;
mod keyring;
mod master_key;
mod numbers;
mod pem;
mod private_key;
mod public_key;
mod restriction;
mod roca;
mod rustcrypto;
mod seal;

pub use engine::{Engine, UnknownEngine};
pub use error::{KeyFlaw, SignerError};
pub use generate::generate;
pub use hash::digest;
pub use import::import;
pub use keyring::{Keyring, OpenSigner};
pub use master_key::MasterKey;
pub use private_key::PrivateKey;
pub use public_key::PublicKey;
pub use seal::{seal, unseal};

use crate::domain::{Digest, Scheme, SignatureBuf};

/// What can sign with one private key: software now, an HSM later.
///
/// `sign` takes `&mut self`, and a signer is owned by one actor: within a process a key cannot be
/// used twice at once.
pub trait Signer: Send {
    /// The public half, to verify with.
    fn public_key(&self) -> &PublicKey;

    /// Whether it checks each of its own operations, by raising the result to the public exponent, before
    /// it hands it out: a fault in the computation is an error then, and reveals no prime. What does not
    /// is verified with the stored public key before anything is stored. There is no default on purpose:
    /// whoever adds a signer has to find out.
    fn checks_itself(&self) -> bool;

    /// Signs each digest in turn and appends the signatures to `out`, each as long as the modulus.
    ///
    /// # Errors
    /// When any operation fails; `out` then holds the signatures made before it.
    fn sign(&mut self, scheme: Scheme, digests: &[Digest], out: &mut SignatureBuf)
    -> Result<(), SignerError>;
}

/// What can check signatures of one public key.
pub trait Verifier: Send + Sync {
    /// Whether `signature` is the key's signature of `digest` under `scheme`, and nothing else is: the
    /// length, the hash function and, for PSS, the salt's length must be the scheme's.
    fn verify(&self, scheme: Scheme, digest: &Digest, signature: &[u8]) -> bool;
}
