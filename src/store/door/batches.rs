//! Forming batches.

use crate::store::StoreError;

/// The first edge in the life of a batch: records become an open batch.
pub trait Batching {
    /// Forms batches out of records above the frontier (the highest id in any batch), in id order.
    fn open_batches(&self, request: OpenBatches) -> Result<OpenedBatches, StoreError>;
}

/// How to form batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenBatches {
    /// Records per batch, at least 1.
    pub batch_size: usize,
    /// How many open batches there should be afterwards: none is formed beyond that. With 0 no batch is
    /// formed, and the answer only counts.
    pub keep_open: usize,
    /// Whether a last batch may be formed of fewer than `batch_size` records.
    pub partial: bool,
}

/// The result of forming batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenedBatches {
    /// Batches formed just now.
    pub opened: usize,
    /// Batches that are open now, those formed just now included.
    pub open: usize,
    /// Batches that are leased now, by any node.
    pub leased: usize,
    /// Records above the frontier: `None` when it is certain that none is left, otherwise at least
    /// that many wait for the next call.
    pub waiting: Option<usize>,
    /// How far the highest id of a record is above the frontier. No more records wait there, and as many do where
    /// every id is used.
    pub waiting_at_most: u64,
}
