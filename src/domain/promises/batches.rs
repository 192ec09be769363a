//! Checks the rows of all batches.

use std::collections::HashMap;

use super::{Breach, covered::Covered};
use crate::domain::{BatchId, BatchRow, BatchState, Epoch, KeyId, RecordId, ledger::LostBatches};

/// What must be remembered of the rows seen so far, to check the next row. It takes a few words of memory for each
/// key and for each gap in the record ids.
#[derive(Default)]
pub struct Batches {
    /// All records of the batches so far.
    covered: Covered,
    /// The batch that each key is leased to, with its epoch.
    leased: HashMap<KeyId, (BatchId, Epoch)>,
    by_state: [u64; 4],
    /// The batches that were signed and lost.
    pub(super) lost: LostBatches,
    /// The ids of signed batches.
    pub(super) signed: Covered,
    /// Records by the key that signed them, lost ones included.
    pub(super) by_key: HashMap<KeyId, u64>,
}

impl Batches {
    /// Takes the next row, and returns what is wrong with it, alone and together with the rows before it. If the
    /// rows were read at different times, a key that had two leases one after the other can appear leased twice.
    pub fn see(&mut self, batch: &BatchRow) -> Vec<Breach> {
        let (id, records, mut breaches) = (batch.id, &batch.records, Vec::new());
        self.by_state[batch.state as usize] += 1;
        // With epoch 0 it is only an id that was used.
        if batch.state == BatchState::Lost && batch.epoch.0 > 0 {
            self.lost.add(id, records);
        }
        if batch.state == BatchState::Signed {
            self.signed.add(id.0, id.0);
        }
        if let (BatchState::Signed | BatchState::Lost, Some(key)) = (batch.state, batch.key) {
            *self.by_key.entry(key).or_default() += batch.stored_span.2;
        }
        let span = records.first().zip(records.last()).map(|(first, last)| (first, last, records.len()));
        if span != Some(batch.stored_span) {
            breaches.push(Breach::WrongSpan { batch: id });
        }
        if records.len() > BatchRow::MAX_RECORDS as u64 {
            breaches.push(Breach::TooManyRecords { batch: id, records: records.len() });
            return breaches;
        }
        for (first, last) in records.ranges() {
            let twice = self.covered.add(first.0, last.0).map(RecordId);
            breaches.extend(twice.map(|record| Breach::InTwoBatches { record, batch: id }));
        }
        let state = batch.state.name();
        breaches.extend(contradiction(batch).map(|what| Breach::WrongState { batch: id, state, what }));
        let may_be_even =
            batch.state == BatchState::Open || batch.state == BatchState::Lost && batch.epoch.0 == 0;
        if (batch.epoch.0 % 2 == 0) != may_be_even {
            breaches.push(Breach::WrongEpoch { batch: id, state, epoch: batch.epoch });
        }
        if let (BatchState::Leased, Some(key)) = (batch.state, batch.key)
            && let Some((first, epoch)) = self.leased.insert(key, (id, batch.epoch))
        {
            breaches.push(Breach::KeyLeasedTwice { key, first, epoch, second: id });
        }
        breaches
    }

    /// Whether one of the batches so far has the record.
    pub fn contain(&self, record: RecordId) -> bool {
        self.covered.contains(record.0)
    }

    /// How many batches are open, leased, signed and lost.
    pub fn by_state(&self) -> [u64; 4] {
        self.by_state
    }
}

/// What contradicts the state of the batch.
fn contradiction(batch: &BatchRow) -> Option<&'static str> {
    let (key, node, scheme) = (batch.key.is_some(), batch.node.is_some(), batch.scheme.is_some());
    match batch.state {
        BatchState::Open if key || node => Some("a key or a node holds it"),
        BatchState::Open if scheme => Some("it has a scheme"),
        BatchState::Leased if !(key && node && scheme) => Some("it lacks its key, node or scheme"),
        BatchState::Signed if !(key && scheme) => Some("it lacks its key or scheme"),
        BatchState::Signed if node => Some("a node holds it"),
        BatchState::Signed if batch.signed_at.is_none() => Some("it lacks the time of signing"),
        BatchState::Lost if node || scheme => Some("it has a node or a scheme"),
        BatchState::Open | BatchState::Leased | BatchState::Lost if batch.signed_at.is_some() => {
            Some("it has a time of signing")
        }
        _ => None,
    }
}
