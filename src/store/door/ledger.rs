//! The ledger: the receipts of what was committed.

use crate::{
    domain::{
        BatchId,
        ledger::{Hash, Head, Origin},
        promises::ReceiptFact,
    },
    store::StoreError,
};

/// The ledger. An entry is added in the transaction that makes its subject true, as the last step before the commit. So
/// entries become visible in their order, without gaps, and never change.
pub trait Ledgers {
    /// Where the ledger is now.
    fn ledger(&self) -> Result<LedgerRow, StoreError>;

    /// Up to `limit` receipts behind `after`, in their order, with entries that are made anew of what is stored.
    fn receipts(&self, after: u64, limit: usize) -> Result<Vec<ReceiptFact>, StoreError>;

    /// The roots of the batches from `first` to `last` that have a receipt, in the order of their ids.
    fn records_roots(&self, first: BatchId, last: BatchId) -> Result<Vec<(BatchId, Hash)>, StoreError>;
}

/// The only row of `ledger`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// Which ledger it is.
    pub origin: Origin,
    /// How many entries it has, and the root of their tree.
    pub head: Head,
    /// Why nothing is formed, leased or signed.
    pub halted: Option<String>,
    /// How many entries were committed, as the anchors know that halted it.
    pub halted_size: Option<u64>,
    /// The public half of the key that signs checkpoints.
    pub public_key: Option<[u8; 32]>,
    /// The last checkpoint, and the number of entries that it is of.
    pub checkpoint: Option<(u64, String)>,
}

/// The key that signs checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedLedgerKey {
    /// The public half.
    pub public: [u8; 32],
    /// The private half under the master key.
    pub sealed: Vec<u8>,
}

/// What signs the heads of the ledger, and what is signed.
pub trait Heads {
    /// The key that signs checkpoints.
    fn ledger_key(&self) -> Result<Option<SealedLedgerKey>, StoreError>;

    /// Stores that key, unless there is one, which stays.
    fn add_ledger_key(&self, key: &SealedLedgerKey) -> Result<(), StoreError>;

    /// Replaces `before`, the private half, by the same under another master key. Returns whether it was still there.
    fn replace_ledger_key(&self, before: &[u8], sealed: &[u8]) -> Result<bool, StoreError>;

    /// Stores a checkpoint, unless there is one of as many entries, or more.
    fn store_checkpoint(&self, size: u64, note: &str) -> Result<(), StoreError>;
}
