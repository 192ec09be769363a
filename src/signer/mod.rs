//! Layer 2, the cryptography: keys, signing, verifying, sealing. No other module uses cryptography directly,
//! and this module knows nothing of the database.
//!
//! - [`PublicKey`], [`PrivateKey`]: keys that were parsed and checked; [`generate()`] and [`import()`] create them.
//! - [`Engine`]: aws-lc, lanes and rsa, each of which opens a [`Signer`] or a [`Verifier`].
//! - [`MasterKey`], [`seal()`], [`unseal`]: private keys as stored in the database.
//! - [`Keyring`]: opens a stored key as a signer, in one step.
//! - [`random_secret`], [`is_same_secret`]: secrets that are not keys. [`certificate_key`]: whose certificate it is.
//! - [`digest`]: computes the digest of a payload, which is what is signed.

mod aws_lc;
mod certificate;
mod check;
mod each;
mod engine;
mod error;
mod generate;
mod hash;
mod import;
mod keyring;
mod lanes;
mod master_key;
mod numbers;
mod pem;
mod private_key;
mod public_key;
mod restriction;
mod roca;
mod rustcrypto;
mod seal;
mod secret;

pub use certificate::{certificate_key, certificate_key_of_der};
pub use engine::{Engine, UnknownEngine};
pub use error::{KeyFlaw, SignerError};
pub use generate::generate;
pub use hash::digest;
pub use import::import;
pub use keyring::{Keyring, OpenSigner};
pub use lanes::LANES;
pub use master_key::MasterKey;
pub use private_key::PrivateKey;
pub use public_key::PublicKey;
pub use seal::{seal, unseal};
pub use secret::{is_same_secret, random_secret};

use crate::domain::{Digest, Scheme, SignatureBuf};

/// What can sign with one private key: software now, an HSM later.
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
