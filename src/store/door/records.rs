//! Records: adding them, and reading what is to be signed.

use crate::{
    domain::{InsertVerdict, RecordId, Runs},
    store::StoreError,
};

/// The records that are to be signed.
pub trait Intake {
    /// Adds records in order, in one transaction. The verdicts are in the same order; `on_conflict` says where
    /// they end.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when a payload is larger than [`Intake::payload_limit`]. Then nothing is stored.
    fn insert_records(
        &self,
        records: &[NewRecord<'_>],
        on_conflict: OnConflict,
    ) -> Result<Vec<InsertVerdict>, StoreError>;

    /// The largest payload in bytes that a record may have. A larger one is refused.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the schema has no such limit any more.
    fn payload_limit(&self) -> Result<u32, StoreError>;

    /// Shows each record's `external_id` and payload, in id order, one at a time.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a record is missing.
    fn read_payloads(&self, records: &Runs, visit: PayloadVisitor<'_>) -> Result<(), StoreError>;
}

/// Sees a record's id, `external_id` and payload.
pub type PayloadVisitor<'a> = &'a mut dyn FnMut(RecordId, Option<&str>, &[u8]);

/// What to do with the records behind one that conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// Add none of them: everything before the conflict is stored, and the verdicts end with it.
    Stop,
    /// Add them: there is a verdict for every record.
    Continue,
}

/// A record to add.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// The caller's own name for it, unique; makes adding it again harmless.
    pub external_id: Option<&'a str>,
    /// The bytes to be signed.
    pub payload: &'a [u8],
}
