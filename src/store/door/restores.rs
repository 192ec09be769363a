//! What becomes of a database that was put back, and lacks what was committed since.

use crate::{
    anchors::Loss,
    domain::{
        By, RecordId,
        ledger::{Origin, Reason, Restored},
    },
    store::StoreError,
};

use super::Store;

/// A loss that a person accepts.
#[derive(Clone, Copy, Debug)]
pub struct Acceptance<'a> {
    /// What the database lacks.
    pub loss: &'a Loss,
    /// Why, for the entry of the restore.
    pub reason: &'a Reason,
    /// Whether what was signed and lost is to be signed again.
    pub signs_again: bool,
}

/// What came of accepting a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptVerdict {
    /// The database begins a new incarnation of its ledger.
    Accepted {
        /// The new incarnation.
        origin: Origin,
        /// Batches that were signed and lost.
        batches: u64,
        /// Their records that are in the database, and are never signed again.
        kept_records: u64,
        /// Their records that are not.
        lost_records: u64,
        /// The last id that no new record can have.
        last_id: RecordId,
    },
    /// The database has changed since the loss was read.
    Changed,
}

/// A database that was opened to be restored. It has no anchors, because its caller reads them, so nothing can be signed with it.
pub trait Restores: Store {
    /// Lets a database go on without what it lacks, in one transaction. What was signed and lost is never signed again, unless
    /// that is asked for. No id of a batch or a record that was used is used again. The ledger begins its next incarnation, and
    /// the feed gets another id.
    ///
    /// # Errors
    /// [`StoreError::Refused`] while a node is at work, and when the batches of the database are not those of the loss.
    fn accept(&self, acceptance: Acceptance<'_>, by: &By) -> Result<AcceptVerdict, StoreError>;

    /// The restore that ended an incarnation of this ledger.
    fn end_of(&self, incarnation: Origin) -> Result<Option<Restored>, StoreError>;
}
