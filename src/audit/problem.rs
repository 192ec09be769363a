//! What can be wrong with a database of signatures, each with a name and its evidence.

use crate::domain::{Fingerprint, KeyId, promises::Breach};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Problem {
    /// The file is damaged, or a table, constraint, trigger or view is not what it must be.
    #[error("schema: {0}")]
    Schema(String),
    /// A row holds invalid values.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// What was being read.
        what: String,
        /// Why it cannot be read.
        reason: String,
    },

    /// A stored public key does not parse, or is too weak to be trusted.
    #[error("key {key}: its public key is refused: {reason}")]
    BadPublicKey {
        /// The key.
        key: KeyId,
        /// Why.
        reason: String,
    },
    /// A fingerprint is not the SHA-256 of the public key beside it.
    #[error("key {key}: its fingerprint is stored as {stored}, but its public key has {actual}")]
    WrongFingerprint {
        /// The key.
        key: KeyId,
        /// What the row says.
        stored: Fingerprint,
        /// What the public key gives.
        actual: Fingerprint,
    },
    /// The size is not that of the public key.
    #[error("key {key}: it is stored as one of {stored} bits, but its public key has {actual}")]
    WrongBits {
        /// The key.
        key: KeyId,
        /// What the row says.
        stored: u32,
        /// What the public key gives.
        actual: u32,
    },
    /// The stored certificates are not a chain that begins with one of this key.
    #[error("key {key}: its certificates are wrong: {reason}")]
    BadCertificates {
        /// The key.
        key: KeyId,
        /// Why.
        reason: String,
    },
    /// Two rows hold the same key, which could therefore be used twice at once.
    #[error("keys {first} and {second} are the same key")]
    SameKeyTwice {
        /// One row.
        first: KeyId,
        /// The other.
        second: KeyId,
    },

    /// An anchor belongs to another ledger, or to another incarnation of this one.
    #[error("the anchor '{name}' belongs to the ledger {found}, but this database has {expected}")]
    OtherAnchor {
        /// The anchor.
        name: String,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// The anchor of an earlier incarnation knows more than what was known when a restore was accepted.
    #[error(
        "the anchor '{name}' knows of {known} entries of the ledger {origin}, but the restore after it was accepted with \
         {accepted}: the anchor was not named then, so what it alone knows may have been signed a second time"
    )]
    NotAccepted {
        /// The anchor.
        name: String,
        /// Whose it is.
        origin: String,
        /// How many entries it knows of.
        known: u64,
        /// How many were known.
        accepted: u64,
    },

    /// A promise is broken.
    #[error(transparent)]
    Broken(#[from] Breach),
}
