//! The feed: signed batches in the order in which every reader gets them.

use super::Reading;
use crate::{
    domain::{BatchId, BatchRow, FeedId, Place},
    store::StoreError,
};

/// The feed. A batch gets its position after the commit that stores its signatures, by one sequencer at a time, so that
/// no batch appears at a position behind which somebody has read already. A position is durable before it is shown, and
/// never changes.
pub trait Feed: Reading {
    /// Gives a position to each signed batch that has none, in the order of their ids, then says how far the feed is.
    /// Every batch whose commit was answered before this call has a position afterwards. A role that may only read,
    /// a standby, and a copy that is fed by replication leave the numbering to the nodes, which do it after each commit.
    ///
    /// # Errors
    /// [`StoreError::HeldUp`] when another sequencer holds its turn for too long; those of a transaction that writes.
    fn sequence(&self) -> Result<FeedEnd, StoreError>;

    /// The same for a node after its commits, which does not ask how far the feed is. Nothing is done where the commit
    /// itself gives the positions.
    ///
    /// # Errors
    /// Those of [`sequence`](Self::sequence).
    fn sequence_commits(&self) -> Result<(), StoreError> {
        self.sequence().map(drop)
    }

    /// Up to `limit` batches behind `after`, in the order of their positions.
    fn feed(&self, after: Place, limit: usize) -> Result<Vec<FeedBatch>, StoreError>;

    /// Signed batches that have no position yet, in id order.
    fn unsequenced(&self) -> Result<Vec<BatchId>, StoreError>;
}

/// How far the feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedEnd {
    /// Which feed it is.
    pub feed: FeedId,
    /// Its last position; 0 when it is empty.
    pub last: Place,
}

/// A batch of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedBatch {
    /// Its position.
    pub place: Place,
    /// The batch, which is signed.
    pub batch: BatchRow,
}
