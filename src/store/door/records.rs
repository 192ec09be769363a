//! Records: adding them, and reading what is to be signed.

use crate::{
    domain::{InsertVerdict, RecordId, Runs},
    store::StoreError,
};

/// The records that are to be signed.
pub trait Intake {
    /// Adds records in order, up to and including the first that conflicts: everything before it is
    /// stored, and the verdicts end with the conflict.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when a payload is larger than [`Intake::payload_limit`].
    fn insert_records(&self, records: &[NewRecord<'_>]) -> Result<Vec<InsertVerdict>, StoreError>;

    /// The largest payload in bytes that a record may have. A larger one is refused.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the schema has no such limit any more.
    fn payload_limit(&self) -> Result<u32, StoreError>;

    /// Shows each record's payload, in id order, one at a time.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a record is missing.
    fn read_payloads(&self, records: &Runs, visit: &mut dyn FnMut(RecordId, &[u8]))
    -> Result<(), StoreError>;
}

/// A record to add.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// The caller's own name for it, unique; makes adding it again harmless.
    pub external_id: Option<&'a str>,
    /// The bytes to be signed.
    pub payload: &'a [u8],
}
