//! What arrives from a broker, and what of it became no record.

use crate::{
    domain::{ArrivalVerdict, By, Refusal, RefusedId, RetryVerdict},
    store::StoreError,
};

/// Messages of brokers, and those that were refused.
pub trait Arrivals {
    /// Adds what has arrived, in order and in one transaction: each becomes a record, or a row of the refused ones. A
    /// conflict with a stored record is a refusal. What arrives again changes nothing, except that a refusal is counted.
    /// The verdicts are in the same order.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the schema refuses one of them. Then nothing is stored.
    fn insert_arrivals(
        &self,
        source: &str,
        arrivals: &[Arrival<'_>],
    ) -> Result<Vec<ArrivalVerdict>, StoreError>;

    /// Up to `limit` refused messages behind the one of this id, in the order of their ids.
    fn refused(&self, after: RefusedId, limit: usize) -> Result<Vec<RefusedRow>, StoreError>;

    /// The bytes that were kept of a refused message; `None` without such a message.
    fn refused_payload(&self, id: RefusedId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Makes a record of a refused message, under another name if one is given. In the same transaction, removes it from
    /// the refused ones and writes a row of the [audit log](super::Access::audit_log). Without success the message stays,
    /// and the try is counted.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the schema refuses the record. Then nothing is changed.
    fn retry_refused(&self, id: RefusedId, name: RetryName<'_>, by: &By) -> Result<RetryVerdict, StoreError>;

    /// Deletes a refused message for good, and writes a row of the audit log in the same transaction. Returns whether there
    /// was one.
    fn drop_refused(&self, id: RefusedId, by: &By) -> Result<bool, StoreError>;
}

/// Something that has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Its name, if it has one that a record may have.
    pub external_id: Option<&'a str>,
    /// Its bytes. Of what is refused because it is too large, only the first.
    pub payload: &'a [u8],
    /// How many bytes it has.
    pub size: u64,
    /// SHA-256 of its name and its bytes: what arrives again has the same.
    pub digest: [u8; 32],
    /// Why it is no record, and the same in words of at most 1,024 bytes; `None` for a record.
    pub refusal: Option<(Refusal, &'a str)>,
}

/// The name of the record that a refused message becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryName<'a> {
    /// That of the message.
    Kept,
    /// This one.
    New(&'a str),
    /// None, where the message has none.
    Without,
}

/// A refused message, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its id.
    pub id: RefusedId,
    /// The broker and the queue that it came from.
    pub source: String,
    /// Its name, if it has one that a record may have.
    pub external_id: Option<String>,
    /// How many bytes were kept.
    pub kept: u64,
    /// How many bytes it had.
    pub size: u64,
    /// Why it became no record.
    pub reason: Refusal,
    /// The same in words.
    pub detail: String,
    /// How often it was refused.
    pub tries: u64,
    /// When it was refused first.
    pub at: String,
}
