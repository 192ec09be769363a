//! A store in memory, for tests: the same rules, and a clock that tests can move.

use std::time::Duration;

use super::{
    AddKeyVerdict, BatchRow, Counts, KeyRow, KeyStateVerdict, NewKey, NewRecord, OpenBatches, OpenedBatches,
    Reclaimed, RenewVerdict, SignedRow, Status, Store, StoreError, StoredKey,
};
use crate::domain::{
    BatchId, CommitVerdict, Epoch, InsertVerdict, KeyId, KeyState, Lease, NodeId, Outcome, RecordId, Runs,
    Scheme, SignedBatch,
};

/// Everything is forgotten when it is dropped.
#[derive(Default)]
pub struct MemoryStore {}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets time pass.
    pub fn advance(&self, _time: Duration) {}

    /// Makes the process of `node` look dead, so that the next reclaim takes its leases.
    pub fn declare_dead(&self, _node: NodeId) {}
}

impl Store for MemoryStore {
    fn open_batches(&self, _request: OpenBatches) -> Result<OpenedBatches, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn lease(&self, _node: NodeId, _scheme: Scheme, _limit: usize) -> Result<Vec<Lease>, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn read_payloads(
        &self,
        _records: &Runs,
        _visit: &mut dyn FnMut(RecordId, &[u8]),
    ) -> Result<(), StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn commit(&self, _batches: &[SignedBatch]) -> Result<Vec<CommitVerdict>, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn outcomes(&self, _sent: &[(BatchId, Epoch)]) -> Result<Vec<Outcome>, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn release(&self, _leases: &[(BatchId, Epoch)]) -> Result<u64, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn register_node(&self, _name: &str, _ttl: Duration) -> Result<NodeId, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn renew_node(&self, _node: NodeId, _ttl: Duration) -> Result<RenewVerdict, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn remove_node(&self, _node: NodeId) -> Result<u64, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn reclaim(&self, _me: Option<NodeId>, _grace: Duration) -> Result<Vec<Reclaimed>, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn add_key(&self, _key: &NewKey) -> Result<AddKeyVerdict, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn stored_key(&self, _key: KeyId) -> Result<Option<StoredKey>, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn set_key_state(
        &self,
        _key: KeyId,
        _state: KeyState,
        _reason: Option<&str>,
    ) -> Result<KeyStateVerdict, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn insert_records(&self, _records: &[NewRecord<'_>]) -> Result<Vec<InsertVerdict>, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn status(&self) -> Result<Status, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn batches(&self, _after: BatchId, _limit: usize) -> Result<Vec<BatchRow>, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn batch_of(&self, _record: RecordId) -> Result<Option<BatchRow>, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn read_signed(&self, _records: &Runs, _visit: &mut dyn FnMut(SignedRow<'_>)) -> Result<(), StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }

    fn audit(&self) -> Result<Vec<String>, StoreError> {
        Err(StoreError::Other("not built yet".into()))
    }
}
