//! Records, in memory.

use super::{NewRecord, Record, State, StoreError};
use crate::domain::{BatchId, InsertVerdict, RecordId, Runs};

/// A record, its `external_id`, its payload, and its signature with the batch that it names.
type SignedRecord = (RecordId, Option<String>, Vec<u8>, Option<(BatchId, Vec<u8>)>);

/// As in the schemas when they are made.
pub(super) const PAYLOAD_LIMIT: u32 = 16 << 20;

impl State {
    pub(super) fn insert_records(
        &mut self,
        records: &[NewRecord<'_>],
    ) -> Result<Vec<InsertVerdict>, StoreError> {
        if records.iter().any(|record| record.payload.len() > PAYLOAD_LIMIT as usize) {
            return Err(StoreError::Refused(format!("a payload has more than {PAYLOAD_LIMIT} bytes")));
        }
        let mut verdicts = Vec::with_capacity(records.len());
        for record in records {
            verdicts.push(self.insert_record(record));
            if verdicts.last() == Some(&InsertVerdict::Conflict) {
                break;
            }
        }
        Ok(verdicts)
    }

    fn insert_record(&mut self, record: &NewRecord<'_>) -> InsertVerdict {
        if let Some(there) = record.external_id.and_then(|name| self.by_external_id.get(name)) {
            let is_same = self.records.get(there).is_some_and(|there| there.payload == record.payload);
            return if is_same { InsertVerdict::AlreadyThere } else { InsertVerdict::Conflict };
        }
        let id = RecordId(self.records.keys().next_back().map_or(1, |last| last.0 + 1));
        let external_id = record.external_id.map(str::to_owned);
        if let Some(name) = &external_id {
            self.by_external_id.insert(name.clone(), id);
        }
        self.records.insert(id, Record { external_id, payload: record.payload.to_vec() });
        InsertVerdict::Inserted(id)
    }

    pub(super) fn insert_at(&mut self, id: RecordId, payload: &[u8]) -> Result<(), StoreError> {
        if id <= self.frontier() || self.records.contains_key(&id) {
            return Err(StoreError::Refused(format!("record {id} is below the frontier or there already")));
        }
        self.records.insert(id, Record { external_id: None, payload: payload.to_vec() });
        Ok(())
    }

    pub(super) fn payloads(&self, records: &Runs) -> Result<Vec<(RecordId, Vec<u8>)>, StoreError> {
        records
            .iter()
            .map(|id| match self.records.get(&id) {
                Some(record) => Ok((id, record.payload.clone())),
                None => Err(StoreError::Corrupt(format!("record {id} is missing"))),
            })
            .collect()
    }

    pub(super) fn signed_rows(&self, records: &Runs) -> Vec<SignedRecord> {
        let there = records.ranges().flat_map(|(first, last)| self.records.range(first..=last));
        there
            .map(|(id, record)| {
                let signature = self.signatures.get(id).cloned();
                (*id, record.external_id.clone(), record.payload.clone(), signature)
            })
            .collect()
    }
}
