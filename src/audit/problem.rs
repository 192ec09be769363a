//! What can be wrong with a database of signatures, each with a name and its evidence.

use crate::domain::{BatchId, Fingerprint, KeyId, RecordId};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Problem {
    /// The file is damaged, or a table, constraint, trigger or view is not what it must be.
    #[error("schema: {0}")]
    Schema(String),
    /// A row holds values without a meaning.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// What was being read.
        what: String,
        /// Why it could not be.
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
    /// Two rows are one key, which could thus be used twice at once.
    #[error("keys {first} and {second} are the same key")]
    SameKeyTwice {
        /// One row.
        first: KeyId,
        /// The other.
        second: KeyId,
    },
    /// One key is in use for two batches at once.
    #[error("key {key} is leased to batch {first} and to batch {second} at once")]
    KeyLeasedTwice {
        /// The key.
        key: KeyId,
        /// One batch.
        first: BatchId,
        /// The other.
        second: BatchId,
    },
    /// A key's counter is not what its batches add up to.
    #[error("key {key}: it counts {stored} signatures, but its signed batches have {expected}")]
    WrongSignatureCount {
        /// The key.
        key: KeyId,
        /// What the row says.
        stored: i64,
        /// What its batches add up to.
        expected: u64,
    },

    /// First, last or number of records differ from the runs beside them, or there is no record.
    #[error("batch {batch}: its first record, last record or count differ from its runs")]
    WrongSpan {
        /// The batch.
        batch: BatchId,
    },
    /// A batch names more records than a batch can have; they were not looked at.
    #[error("batch {batch}: it names {records} records, more than a batch can have")]
    TooManyRecords {
        /// The batch.
        batch: BatchId,
        /// How many it names.
        records: u64,
    },
    /// A column is set, or is not, against the batch's state.
    #[error("batch {batch}: it is {state}, yet {what}")]
    WrongState {
        /// The batch.
        batch: BatchId,
        /// The state it is in.
        state: &'static str,
        /// What does not fit.
        what: &'static str,
    },
    /// A record is in two batches, so that two keys could sign it.
    #[error("record {record}: it is in batch {batch} and in an earlier batch")]
    InTwoBatches {
        /// The record.
        record: RecordId,
        /// The later of the two.
        batch: BatchId,
    },
    /// A signed batch whose key is missing or refused.
    #[error("batch {batch}: key {key} is missing or refused, so its signatures cannot be checked")]
    NoKey {
        /// The batch.
        batch: BatchId,
        /// The key that it names.
        key: KeyId,
    },

    /// A batch names a record that is not there.
    #[error("record {record}: it is gone, though batch {batch} names it")]
    RecordMissing {
        /// The record.
        record: RecordId,
        /// The batch.
        batch: BatchId,
    },
    /// A record of a signed batch has no signature.
    #[error("record {record}: it has no signature, though batch {batch} is signed")]
    SignatureMissing {
        /// The record.
        record: RecordId,
        /// The batch.
        batch: BatchId,
    },
    /// A record has a signature before its batch is signed.
    #[error("record {record}: it has a signature, though batch {batch} is not signed")]
    SignatureTooEarly {
        /// The record.
        record: RecordId,
        /// The batch.
        batch: BatchId,
    },
    /// A signature names another batch than the one that its record is in.
    #[error("record {record}: its signature names batch {named}, but it is in batch {batch}")]
    WrongBatch {
        /// The record.
        record: RecordId,
        /// The batch that it is in.
        batch: BatchId,
        /// The batch that the signature names.
        named: BatchId,
    },
    /// A signature is not as long as the key's modulus.
    #[error("record {record}: its signature has {found} bytes, but those of key {key} have {expected}")]
    WrongLength {
        /// The record.
        record: RecordId,
        /// The key.
        key: KeyId,
        /// Length of the modulus.
        expected: usize,
        /// Length of the signature.
        found: usize,
    },
    /// A signature is not one of this payload by this key.
    #[error("record {record}: its signature does not verify with key {key} of batch {batch}")]
    DoesNotVerify {
        /// The record.
        record: RecordId,
        /// The batch.
        batch: BatchId,
        /// The key.
        key: KeyId,
    },

    /// Rows were counted, and there are not as many as the batches say.
    #[error("{what}: the batches add up to {expected}, but there are {found}")]
    WrongTotal {
        /// What was counted.
        what: &'static str,
        /// What the batches say.
        expected: u64,
        /// How many rows there are.
        found: u64,
    },
}
