//! What can go wrong with keys and signatures. No variant ever holds private material.

/// An error of a signer, a key or the master key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {}
