//! What becomes of a database that was put back, and lacks what was committed since.

use crate::{
    anchors::{IntendedBatch, Loss},
    domain::{
        By, Contents, RecordId, SignatureBuf,
        ledger::{BatchSigned, Edge, Head, KeyChanged, Origin, Reason, Restored},
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
        /// Keys that had been retired, and are again.
        retired_keys: u64,
        /// The last id that no new record can have.
        last_id: RecordId,
    },
    /// The database has changed since the loss was read.
    Changed,
}

/// A record that the database does not have any more.
#[derive(Clone, Copy, Debug)]
pub struct LostRecord<'a> {
    /// Its id.
    pub id: RecordId,
    /// Its owner's name for it.
    pub external_id: Option<&'a str>,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// A part of putting back what a database lacks. Callers must have verified everything in it.
#[derive(Clone, Copy, Debug)]
pub enum Healing<'a> {
    /// Halts the ledger, with these words, until [`End`](Self::End). `in_order`: whether the batches that are lost follow each
    /// other in the ledger as their ids do, so that their places in the feed are known.
    Begin {
        /// Why it is halted.
        why: &'a str,
        /// The lowest id of a batch that is lost, if they are in order.
        in_order: Option<i64>,
    },
    /// Stores records under the ids that they had.
    Records(&'a [LostRecord<'a>]),
    /// Forms a batch that was formed, unless it is there. Each id of a batch below it that was never signed gets one, too.
    /// Batches must come in the order of their ids.
    Batch {
        /// The batch.
        batch: &'a IntendedBatch,
        /// The highest id of a record that was lost.
        highest: RecordId,
    },
    /// Signs a batch as it was signed, which is the next entry of the ledger.
    Signed {
        /// The entry.
        entry: &'a BatchSigned,
        /// What was signed.
        contents: &'a Contents,
        /// The signatures.
        signatures: &'a SignatureBuf,
    },
    /// Retires a key, or notes that it was added, which is the next entry of the ledger.
    Key(&'a KeyChanged),
    /// Everything is there: the ledger goes on. New records get ids behind all that were used.
    End,
}

/// What came of a part of putting back what a database lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealVerdict {
    /// It is done.
    Done,
    /// It is done, and the feed got another id, because it may have had its batches in another order.
    FeedRenamed,
    /// The database has changed since it was looked at.
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

    /// The edge of the ledger.
    fn edge(&self) -> Result<Edge, StoreError>;

    /// Puts back a part of what the database lacks, in one transaction. `at` is the end of its ledger before that. Between two
    /// parts the ledger is halted.
    ///
    /// # Errors
    /// [`StoreError::Refused`] while a node is at work, and when the part does not fit to what is there.
    fn heal(&self, at: (Origin, Head), part: Healing<'_>, by: &By) -> Result<HealVerdict, StoreError>;

    /// The restore that ended an incarnation of this ledger.
    fn end_of(&self, incarnation: Origin) -> Result<Option<Restored>, StoreError>;
}
