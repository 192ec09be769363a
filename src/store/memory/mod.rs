//! A store in memory, for tests: the same rules, and a clock that tests can move.

mod keys;
mod nodes;
mod progress;
mod records;
mod work;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    AddKeyVerdict, BatchRow, Counts, Inventory, KeyRow, KeyStateVerdict, NewKey, NewRecord, OpenBatches,
    OpenedBatches, Reclaimed, RenewVerdict, SignedRow, Status, Store, StoreError, StoredKey,
};
use crate::domain::{
    BatchId, CommitVerdict, Epoch, InsertVerdict, KeyId, KeyMaterial, KeyState, Lease, NodeId, Outcome,
    RecordId, Runs, Scheme, SignedBatch,
};

/// Everything is forgotten when it is dropped.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        let mut state = self.lock();
        state.now = state.now.saturating_add(time);
    }

    /// The clock is set back, as far as leases can tell: they end that much later.
    pub fn set_back(&self, time: Duration) {
        for node in self.lock().nodes.values_mut() {
            node.lease_until = node.lease_until.saturating_add(time);
        }
    }

    /// Adds a record under an id of its own choice, as other processes may with plain SQL.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the id is taken, or not above the frontier.
    pub fn insert_at(&self, id: RecordId, payload: &[u8]) -> Result<(), StoreError> {
        self.lock().insert_at(id, payload)
    }

    /// Makes the process of `node` look dead, so that the next reclaim takes its leases.
    pub fn declare_dead(&self, node: NodeId) {
        if let Some(node) = self.lock().nodes.get_mut(&node) {
            node.is_dead = true;
        }
    }

    /// A standby with all that is here now, and nothing that comes after.
    #[must_use]
    pub fn standby(&self) -> Self {
        Self { state: Mutex::new(self.lock().clone()) }
    }

    /// The database fails over to `standby`: whatever that does not know has never happened.
    pub fn fail_over_to(&self, standby: &Self) {
        let state = standby.lock().clone();
        *self.lock() = state;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tables.
#[derive(Clone, Default)]
struct State {
    /// Since the store was made.
    now: Duration,
    records: BTreeMap<RecordId, Record>,
    by_external_id: HashMap<String, RecordId>,
    keys: BTreeMap<KeyId, Key>,
    batches: BTreeMap<BatchId, BatchRow>,
    signatures: BTreeMap<RecordId, (BatchId, Vec<u8>)>,
    nodes: BTreeMap<NodeId, Node>,
    /// Ids of nodes are never used twice.
    last_node: i64,
}

#[derive(Clone)]
struct Record {
    external_id: Option<String>,
    payload: Vec<u8>,
}

#[derive(Clone)]
struct Key {
    row: KeyRow,
    material: KeyMaterial,
}

#[derive(Clone)]
struct Node {
    name: String,
    started: Duration,
    lease_until: Duration,
    ttl: Duration,
    is_dead: bool,
}

impl Store for MemoryStore {
    fn open_batches(&self, request: OpenBatches) -> Result<OpenedBatches, StoreError> {
        Ok(self.lock().open_batches(request))
    }

    fn lease(&self, node: NodeId, scheme: Scheme, limit: usize) -> Result<Vec<Lease>, StoreError> {
        self.lock().lease(node, scheme, limit)
    }

    fn read_payloads(
        &self,
        records: &Runs,
        visit: &mut dyn FnMut(RecordId, &[u8]),
    ) -> Result<(), StoreError> {
        let payloads = self.lock().payloads(records)?;
        payloads.iter().for_each(|(record, payload)| visit(*record, payload));
        Ok(())
    }

    fn commit(&self, batches: &[SignedBatch]) -> Result<Vec<CommitVerdict>, StoreError> {
        self.lock().commit(batches)
    }

    fn outcomes(&self, sent: &[(BatchId, Epoch)]) -> Result<Vec<Outcome>, StoreError> {
        self.lock().outcomes(sent)
    }

    fn release(&self, leases: &[(BatchId, Epoch)]) -> Result<u64, StoreError> {
        Ok(self.lock().release(leases))
    }

    fn inventory(&self, node: NodeId, stored: &[(BatchId, Epoch)]) -> Result<Inventory, StoreError> {
        Ok(self.lock().inventory(node, stored))
    }

    fn register_node(&self, name: &str, ttl: Duration) -> Result<NodeId, StoreError> {
        Ok(self.lock().register_node(name, ttl))
    }

    fn renew_node(&self, node: NodeId, ttl: Duration) -> Result<RenewVerdict, StoreError> {
        Ok(self.lock().renew_node(node, ttl))
    }

    fn remove_node(&self, node: NodeId) -> Result<u64, StoreError> {
        Ok(self.lock().remove_node(node))
    }

    fn reclaim(&self, me: Option<NodeId>, grace: Duration) -> Result<Vec<Reclaimed>, StoreError> {
        Ok(self.lock().reclaim(me, grace))
    }

    fn add_key(&self, key: &NewKey) -> Result<AddKeyVerdict, StoreError> {
        Ok(self.lock().add_key(key))
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        Ok(self.lock().key_rows())
    }

    fn stored_key(&self, key: KeyId) -> Result<Option<StoredKey>, StoreError> {
        Ok(self.lock().stored_key(key))
    }

    fn set_key_state(
        &self,
        key: KeyId,
        state: KeyState,
        reason: Option<&str>,
    ) -> Result<KeyStateVerdict, StoreError> {
        Ok(self.lock().set_key_state(key, state, reason))
    }

    fn insert_records(&self, records: &[NewRecord<'_>]) -> Result<Vec<InsertVerdict>, StoreError> {
        self.lock().insert_records(records)
    }

    fn payload_limit(&self) -> Result<u32, StoreError> {
        Ok(records::PAYLOAD_LIMIT)
    }

    fn status(&self) -> Result<Status, StoreError> {
        Ok(self.lock().status())
    }

    fn batches(&self, after: BatchId, limit: usize) -> Result<Vec<BatchRow>, StoreError> {
        Ok(self.lock().batches.values().filter(|batch| batch.id > after).take(limit).cloned().collect())
    }

    fn batch_of(&self, record: RecordId) -> Result<Option<BatchRow>, StoreError> {
        let state = self.lock();
        Ok(state.signatures.get(&record).and_then(|(batch, _)| state.batches.get(batch)).cloned())
    }

    fn read_signed(&self, records: &Runs, visit: &mut dyn FnMut(SignedRow<'_>)) -> Result<(), StoreError> {
        let rows = self.lock().signed_rows(records);
        for (record, external_id, payload, signature) in &rows {
            visit(SignedRow {
                record: *record,
                external_id: external_id.as_deref(),
                payload,
                signature: signature.as_ref().map(|(batch, value)| (*batch, value.as_slice())),
            });
        }
        Ok(())
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        Ok(self.lock().counts())
    }

    fn audit(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}
