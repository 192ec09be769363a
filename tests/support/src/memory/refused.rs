//! What arrives from a broker, and what of it became no record, in memory.

use std::collections::BTreeMap;

use super::{
    MemoryStore,
    access::can_be_logged,
    records::check_sizes,
    state::{Refused, State},
};
use signwave::{
    domain::{Action, ArrivalVerdict, By, InsertVerdict, Refusal, RefusedId, RetryVerdict},
    store::{Arrival, Arrivals, NewRecord, RefusedRow, RetryName, StoreError},
};

impl Arrivals for MemoryStore {
    fn insert_arrivals(
        &self,
        source: &str,
        arrivals: &[Arrival<'_>],
    ) -> Result<Vec<ArrivalVerdict>, StoreError> {
        check_sizes(arrivals.iter().filter(|arrival| arrival.refusal.is_none()).map(|it| it.payload))?;
        let mut state = self.lock();
        Ok(arrivals.iter().map(|arrival| state.take_in(source, arrival)).collect())
    }

    fn refused(&self, after: RefusedId, limit: usize) -> Result<Vec<RefusedRow>, StoreError> {
        let state = self.lock();
        let behind = state.refused.range(RefusedId(after.0 + 1)..).take(limit);
        Ok(behind.map(|(_, refused)| refused.row.clone()).collect())
    }

    fn refused_payload(&self, id: RefusedId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().refused.get(&id).map(|refused| refused.payload.clone()))
    }

    fn retry_refused(&self, id: RefusedId, name: RetryName<'_>, by: &By) -> Result<RetryVerdict, StoreError> {
        can_be_logged(by)?;
        let state = &mut *self.lock();
        let Some(Refused { row, payload, .. }) = state.refused.get(&id).cloned() else {
            return Ok(RetryVerdict::NotThere);
        };
        let own = match (name, &row.external_id) {
            (RetryName::New(name), _) => Ok(Some(name)),
            (_, Some(name)) => Ok(Some(name.as_str())),
            (RetryName::Without, None) => Ok(None),
            (RetryName::Kept, None) => Err(RetryVerdict::NoName),
        };
        let verdict = match own {
            _ if row.reason == Refusal::Malformed => RetryVerdict::Malformed,
            _ if row.size > row.kept => RetryVerdict::NotWhole,
            Err(verdict) => verdict,
            Ok(external_id) => match state.insert_record(&NewRecord { external_id, payload: &payload }) {
                InsertVerdict::Inserted(id) | InsertVerdict::AlreadyThere(id) => RetryVerdict::Stored(id),
                InsertVerdict::Conflict => RetryVerdict::Conflict,
            },
        };
        match verdict {
            RetryVerdict::Stored(record) => {
                state.refused.remove(&id);
                let named = if let RetryName::New(name) = name { format!(": {name}") } else { String::new() };
                state.note_refused(by, Action::RetryRefused, &row, &format!("record {record}{named}"));
            }
            _ => state.refused.get_mut(&id).into_iter().for_each(|refused| refused.row.tries += 1),
        }
        Ok(verdict)
    }

    fn drop_refused(&self, id: RefusedId, by: &By) -> Result<bool, StoreError> {
        can_be_logged(by)?;
        let state = &mut *self.lock();
        let Some(Refused { row, .. }) = state.refused.remove(&id) else { return Ok(false) };
        state.note_refused(by, Action::DropRefused, &row, "dropped");
        Ok(true)
    }
}

impl State {
    fn note_refused(&mut self, by: &By, action: Action, row: &RefusedRow, after: &str) {
        let name = row.external_id.as_deref().unwrap_or("no name");
        let before = format!("{}: {name}, {} bytes from {}", row.reason.name(), row.size, row.source);
        self.note(by, action, &row.id.to_string(), Some(&before), after);
    }

    fn take_in(&mut self, source: &str, arrival: &Arrival<'_>) -> ArrivalVerdict {
        let (reason, detail) = match arrival.refusal {
            Some((reason, words)) => (reason, words.to_owned()),
            None => {
                let record = NewRecord { external_id: arrival.external_id, payload: arrival.payload };
                match self.insert_record(&record) {
                    InsertVerdict::Inserted(id) => return ArrivalVerdict::Record(id),
                    InsertVerdict::AlreadyThere(id) => return ArrivalVerdict::AlreadyThere(id),
                    InsertVerdict::Conflict => (Refusal::Conflict, "another payload".to_owned()),
                }
            }
        };
        let at = Self::time_text(self.now);
        let refused: &mut BTreeMap<_, Refused> = &mut self.refused;
        let same = |refused: &&mut Refused| refused.row.source == source && refused.digest == arrival.digest;
        if let Some(there) = refused.values_mut().find(same) {
            there.row.tries += 1;
            return ArrivalVerdict::Refused(reason);
        }
        self.last_refused += 1;
        let id = RefusedId(self.last_refused);
        let row = RefusedRow {
            id,
            source: source.to_owned(),
            external_id: arrival.external_id.map(str::to_owned),
            kept: arrival.payload.len() as u64,
            size: arrival.size,
            reason,
            detail,
            tries: 1,
            at,
        };
        let refused = Refused { row, digest: arrival.digest, payload: arrival.payload.to_vec() };
        self.refused.insert(id, refused);
        ArrivalVerdict::Refused(reason)
    }
}
