//! The feed and the ledger, which fail as planned.

use super::{FaultyStore, Method};
use signwave::{
    domain::{BatchId, Place, ledger::Hash, promises::ReceiptFact},
    store::{Feed, FeedBatch, FeedEnd, Heads, LedgerRow, Ledgers, SealedLedgerKey, StoreError},
};

impl Feed for FaultyStore {
    fn sequence(&self) -> Result<FeedEnd, StoreError> {
        self.call(Method::Sequence, |store| store.sequence())
    }

    fn sequence_commits(&self) -> Result<(), StoreError> {
        self.call(Method::Sequence, |store| store.sequence_commits())
    }

    fn feed(&self, after: Place, limit: usize) -> Result<Vec<FeedBatch>, StoreError> {
        self.call(Method::Feed, |store| store.feed(after, limit))
    }

    fn unsequenced(&self) -> Result<Vec<BatchId>, StoreError> {
        self.call(Method::Unsequenced, |store| store.unsequenced())
    }
}

impl Ledgers for FaultyStore {
    fn ledger(&self) -> Result<LedgerRow, StoreError> {
        self.call(Method::Ledger, |store| store.ledger())
    }

    fn receipts(&self, after: u64, limit: usize) -> Result<Vec<ReceiptFact>, StoreError> {
        self.call(Method::Receipts, |store| store.receipts(after, limit))
    }

    fn records_roots(&self, first: BatchId, last: BatchId) -> Result<Vec<(BatchId, Hash)>, StoreError> {
        self.call(Method::RecordsRoots, |store| store.records_roots(first, last))
    }
}

impl Heads for FaultyStore {
    fn ledger_key(&self) -> Result<Option<SealedLedgerKey>, StoreError> {
        self.call(Method::LedgerKey, |store| store.ledger_key())
    }

    fn add_ledger_key(&self, key: &SealedLedgerKey) -> Result<(), StoreError> {
        self.call(Method::AddLedgerKey, |store| store.add_ledger_key(key))
    }

    fn replace_ledger_key(&self, before: &[u8], sealed: &[u8]) -> Result<bool, StoreError> {
        self.call(Method::ReplaceLedgerKey, |store| store.replace_ledger_key(before, sealed))
    }

    fn store_checkpoint(&self, size: u64, note: &str) -> Result<(), StoreError> {
        self.call(Method::StoreCheckpoint, |store| store.store_checkpoint(size, note))
    }
}
