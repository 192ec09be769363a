//! Records, in memory.

use super::{
    MemoryStore,
    state::{Record, State},
};
use signwave::{
    domain::{InsertVerdict, RecordId, Runs},
    store::{Intake, NewRecord, OnConflict, PayloadVisitor, StoreError},
};

/// The limit that the migrations set.
const PAYLOAD_LIMIT: u32 = 16 << 20;

impl Intake for MemoryStore {
    fn insert_records(
        &self,
        records: &[NewRecord<'_>],
        on_conflict: OnConflict,
    ) -> Result<Vec<InsertVerdict>, StoreError> {
        check_sizes(records.iter().map(|record| record.payload))?;
        let mut state = self.lock();
        let mut verdicts = Vec::with_capacity(records.len());
        for record in records {
            verdicts.push(state.insert_record(record));
            if on_conflict == OnConflict::Stop && verdicts.last() == Some(&InsertVerdict::Conflict) {
                break;
            }
        }
        Ok(verdicts)
    }

    fn payload_limit(&self) -> Result<u32, StoreError> {
        Ok(PAYLOAD_LIMIT)
    }

    fn read_payloads(&self, records: &Runs, visit: PayloadVisitor<'_>) -> Result<(), StoreError> {
        let payloads = self.lock().payloads(records)?;
        for (id, record) in payloads {
            visit(id, record.external_id.as_deref(), &record.payload);
        }
        Ok(())
    }
}

pub(super) fn check_sizes<'a>(mut payloads: impl Iterator<Item = &'a [u8]>) -> Result<(), StoreError> {
    if payloads.any(|payload| payload.len() > PAYLOAD_LIMIT as usize) {
        return Err(StoreError::Refused(format!("a payload has more than {PAYLOAD_LIMIT} bytes")));
    }
    Ok(())
}

impl State {
    pub(super) fn insert_record(&mut self, record: &NewRecord<'_>) -> InsertVerdict {
        if let Some(id) = record.external_id.and_then(|name| self.by_external_id.get(name)) {
            let is_same = self.records.get(id).is_some_and(|there| there.payload == record.payload);
            return if is_same { InsertVerdict::AlreadyThere(*id) } else { InsertVerdict::Conflict };
        }
        let id = RecordId(self.records.keys().next_back().map_or(1, |last| last.0 + 1));
        let external_id = record.external_id.map(str::to_owned);
        if let Some(name) = &external_id {
            self.by_external_id.insert(name.clone(), id);
        }
        let record = Record { external_id, payload: record.payload.to_vec(), added: self.now };
        self.records.insert(id, record);
        InsertVerdict::Inserted(id)
    }

    pub(super) fn insert_at(&mut self, id: RecordId, payload: &[u8]) -> Result<(), StoreError> {
        if id <= self.frontier() || self.records.contains_key(&id) {
            return Err(StoreError::Refused(format!("record {id} is below the frontier or there already")));
        }
        self.records.insert(id, Record { external_id: None, payload: payload.to_vec(), added: self.now });
        Ok(())
    }

    fn payloads(&self, records: &Runs) -> Result<Vec<(RecordId, Record)>, StoreError> {
        records
            .iter()
            .map(|id| match self.records.get(&id) {
                Some(record) => Ok((id, record.clone())),
                None => Err(StoreError::Corrupt(format!("record {id} is missing"))),
            })
            .collect()
    }
}
