//! Layer 2, the cryptography: keys, signing, verifying, sealing. Used here and nowhere else;
//! the database is not known here.

mod error;
mod public_key;

pub use error::SignerError;
pub use public_key::PublicKey;

use crate::domain::{Digest, Scheme, SignatureBuf};

/// What can sign with one private key: software now, an HSM later.
///
/// `sign` takes `&mut self`, and a signer is owned by one actor: within a process a key cannot be
/// used twice at once.
pub trait Signer: Send {
    /// The public half, to verify with.
    fn public_key(&self) -> &PublicKey;

    /// Signs each digest in turn and appends the signatures to `out`, each as long as the modulus.
    ///
    /// # Errors
    /// When any operation fails; `out` then holds the signatures made before it.
    fn sign(&mut self, scheme: Scheme, digests: &[Digest], out: &mut SignatureBuf)
    -> Result<(), SignerError>;
}
