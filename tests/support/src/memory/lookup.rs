//! Looking up one record, batch or key, or a page of them, in memory.

use super::{MemoryStore, state::State};
use signwave::{
    domain::{BatchId, BatchState, Fingerprint, RecordId, Runs},
    store::{
        BatchPage, BatchRow, BatchSummary, KeyOrder, KeyPage, KeyRow, Lookup, OldestUnsigned, RecordName,
        RecordRow, StoreError, Wanted,
    },
};

impl Lookup for MemoryStore {
    fn record(&self, name: RecordName<'_>, wanted: Wanted) -> Result<Option<RecordRow>, StoreError> {
        let state = self.lock();
        let id = match name {
            RecordName::Id(id) => Some(id),
            RecordName::External(name) => state.by_external_id.get(name).copied(),
        };
        Ok(id.and_then(|id| state.record_row(id, wanted)))
    }

    fn oldest_unsigned(&self) -> Result<Option<OldestUnsigned>, StoreError> {
        let state = self.lock();
        let waiting = state.records.iter().find(|(id, _)| !state.signatures.contains_key(id));
        Ok(waiting.map(|(id, record)| OldestUnsigned {
            record: *id,
            created_at: State::time_text(record.added),
            age: state.now - record.added,
        }))
    }

    fn batch(&self, batch: BatchId) -> Result<Option<(BatchSummary, Runs)>, StoreError> {
        let state = self.lock();
        Ok(state.batches.get(&batch).map(|row| (state.summary(row), row.records.clone())))
    }

    fn latest_batches(&self, page: BatchPage) -> Result<Vec<BatchSummary>, StoreError> {
        let state = self.lock();
        let is_meant = |row: &&BatchRow| {
            page.state.is_none_or(|state| row.state == state)
                && page.before.is_none_or(|before| row.id < before)
        };
        let newest_first = state.batches.values().rev();
        Ok(newest_first.filter(is_meant).take(page.limit).map(|row| state.summary(row)).collect())
    }

    fn key_named(&self, fingerprint: &Fingerprint) -> Result<Option<KeyRow>, StoreError> {
        let state = self.lock();
        let mut keys = state.keys.values();
        Ok(keys.find(|key| key.row.fingerprint == *fingerprint).map(|key| state.key_row(key)))
    }

    fn key_page(&self, page: KeyPage) -> Result<Vec<KeyRow>, StoreError> {
        let state = self.lock();
        let mut keys: Vec<_> = state.keys.values().map(|key| state.key_row(key)).collect();
        let place = |key: &KeyRow| (key.last_leased, key.id);
        match page.order {
            KeyOrder::Use(after) => {
                keys.sort_by_key(place);
                keys.retain(|key| after.is_none_or(|after| place(key) > after));
            }
            KeyOrder::Added(after) => keys.retain(|key| after.is_none_or(|after| key.id > after)),
        }
        keys.retain(|key| page.state.is_none_or(|state| key.state == state));
        keys.truncate(page.limit);
        Ok(keys)
    }
}

impl State {
    fn record_row(&self, id: RecordId, wanted: Wanted) -> Option<RecordRow> {
        let record = self.records.get(&id)?;
        let batch = self.batches.values().find(|batch| batch.records.contains(id));
        let is_signed = batch.is_some_and(|batch| batch.state == BatchState::Signed);
        Some(RecordRow {
            id,
            external_id: record.external_id.clone(),
            payload_length: record.payload.len() as u64,
            payload: wanted.payload.then(|| record.payload.clone()),
            created_at: Self::time_text(record.added),
            signature: self.signatures.get(&id).filter(|_| is_signed).map(|(_, value)| value.clone()),
            batch: batch.filter(|_| is_signed || wanted.unsigned_batch).map(|batch| self.summary(batch)),
        })
    }

    fn summary(&self, row: &BatchRow) -> BatchSummary {
        let (opened, leased) = self.times.get(&row.id).copied().unwrap_or_default();
        let (first_record, last_record, record_count) = row.stored_span;
        let node = |id| (id, self.nodes.get(&id).map(|node| node.name.clone()).unwrap_or_default());
        BatchSummary {
            id: row.id,
            state: row.state,
            epoch: row.epoch,
            first_record,
            last_record,
            record_count,
            key: row.key.and_then(|key| Some(self.keys.get(&key)?.row.fingerprint)),
            node: row.node.map(node),
            scheme: row.scheme,
            opened_at: Self::time_text(opened),
            leased_at: leased.filter(|_| row.state != BatchState::Open).map(Self::time_text),
            signed_at: row.signed_at.clone(),
        }
    }
}
