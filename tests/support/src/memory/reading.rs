//! Reading and counting, in memory.

use super::{
    MemoryStore,
    state::{Key, Node, Record, State},
};
use signwave::{
    domain::{BatchId, BatchState, KeyId, KeyState, RecordId, Runs},
    store::{Audit, BatchRow, Counts, KeyRow, NodeRow, Reading, SignedRow, Status, StoreError},
};

impl Reading for MemoryStore {
    fn status(&self) -> Result<Status, StoreError> {
        Ok(self.lock().status())
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let state = self.lock();
        Ok(state.keys.values().map(|key| state.key_row(key)).collect())
    }

    fn key(&self, key: KeyId) -> Result<Option<KeyRow>, StoreError> {
        let state = self.lock();
        Ok(state.keys.get(&key).map(|key| state.key_row(key)))
    }

    fn certificates(&self, key: Option<KeyId>) -> Result<Vec<(KeyId, Vec<u8>)>, StoreError> {
        let state = self.lock();
        let meant = state.keys.iter().filter(|(id, _)| key.is_none_or(|key| key == **id));
        Ok(meant.filter_map(|(id, key)| Some((*id, key.certificates.clone()?))).collect())
    }

    fn batches(&self, after: BatchId, limit: usize) -> Result<Vec<BatchRow>, StoreError> {
        Ok(self.lock().batches.values().filter(|batch| batch.id > after).take(limit).cloned().collect())
    }

    fn batch_of(&self, record: RecordId) -> Result<Option<BatchRow>, StoreError> {
        let state = self.lock();
        Ok(state.signatures.get(&record).and_then(|(batch, _)| state.batches.get(batch)).cloned())
    }

    fn read_signed(&self, records: &Runs, visit: &mut dyn FnMut(SignedRow<'_>)) -> Result<(), StoreError> {
        // Copied first, so that the visitor may call the store.
        let rows: Vec<_> = {
            let state = self.lock();
            let there = records.ranges().flat_map(|(first, last)| state.records.range(first..=last));
            there.map(|(id, record)| (*id, record.clone(), state.signatures.get(id).cloned())).collect()
        };
        for (record, Record { external_id, payload, .. }, signature) in &rows {
            visit(SignedRow {
                record: *record,
                external_id: external_id.as_deref(),
                payload,
                signature: signature.as_ref().map(|(batch, value)| (*batch, value.as_slice())),
            });
        }
        Ok(())
    }
}

impl Audit for MemoryStore {
    fn counts(&self) -> Result<Counts, StoreError> {
        let state = self.lock();
        Ok(Counts {
            records: state.records.len() as u64,
            signatures: state.signatures.len() as u64,
            batches: state.batches.len() as u64,
            unbatched: state.above_frontier().count() as u64,
            in_batches: state.batches.values().map(|batch| batch.records.len()).sum(),
            in_signed: state.in_state(BatchState::Signed).map(|batch| batch.records.len()).sum(),
            in_lost: state.in_state(BatchState::Lost).map(|batch| batch.records.len()).sum(),
        })
    }

    fn audit(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

impl State {
    fn status(&self) -> Status {
        let mut status = Status {
            unbatched: self.above_frontier().count() as u64,
            nodes: self.node_rows(),
            webhooks: self.webhook_rows(),
            refused: self.refused.len() as u64,
            ledger: Some(self.ledger()),
            ..Status::default()
        };
        for batch in self.batches.values() {
            let records = match batch.state {
                BatchState::Open => &mut status.open,
                BatchState::Leased => &mut status.leased,
                BatchState::Signed => &mut status.signed,
                BatchState::Lost => &mut status.lost,
            };
            *records += batch.records.len();
            *status.batches.counter(batch.state) += 1;
        }
        for Key { row, .. } in self.keys.values() {
            *status.keys.counter(row.state) += 1;
            if let Some(reason) = self.barred(row) {
                *status.barred.counter(reason) += 1;
            } else if row.state == KeyState::Active {
                *status.usable.entry(row.custody.clone()).or_default() += 1;
            }
        }
        status
    }

    fn node_rows(&self) -> Vec<NodeRow> {
        let row = |(id, node): (&_, &Node)| NodeRow {
            id: *id,
            name: node.name.clone(),
            started_at: Self::time_text(node.started),
            lease_until: Self::time_text(node.lease_until),
            batches: self.batches.values().filter(|batch| batch.node == Some(*id)).count() as u64,
            reach: node.reach.clone(),
        };
        self.nodes.iter().map(row).collect()
    }

    pub(super) fn key_row(&self, key: &Key) -> KeyRow {
        let (leased_batch, barred) = (self.leased_with(key.row.id), self.barred(&key.row));
        KeyRow { leased_batch, barred, ..key.row.clone() }
    }
}
