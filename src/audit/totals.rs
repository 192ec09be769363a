//! Sums over all batches, to hold against the rows that are really there.

use std::collections::HashMap;

use super::{Problem, findings::Findings};
use crate::{
    domain::{BatchState, KeyId},
    store::{BatchRow, Counts, KeyRow},
};

/// What the batches seen so far add up to.
#[derive(Default)]
pub(super) struct Totals {
    /// Batches by state: open, leased, signed.
    batches: [u64; 3],
    /// Their records, by state.
    records: [u64; 3],
    /// Records of signed batches by key.
    by_key: HashMap<KeyId, u64>,
}

impl Totals {
    pub(super) fn add(&mut self, batch: &BatchRow) {
        let (_, _, count) = batch.stored_span;
        self.batches[batch.state as usize] += 1;
        self.records[batch.state as usize] += count;
        if let (BatchState::Signed, Some(key)) = (batch.state, batch.key) {
            *self.by_key.entry(key).or_default() += count;
        }
    }

    pub(super) fn batches(&self) -> [u64; 3] {
        self.batches
    }

    pub(super) fn signed_records(&self) -> u64 {
        self.records[BatchState::Signed as usize]
    }

    /// Whatever was summed up lies between what was counted before and what was counted after, since
    /// batches and signatures only ever come.
    pub(super) fn compare(
        &self,
        (before, keys_before): (Counts, &[KeyRow]),
        (after, keys_after): (Counts, &[KeyRow]),
        findings: &Findings,
    ) {
        let total = |what, expected: u64, before: u64, after: u64| {
            let found = if expected < before { before } else { after };
            if !(before..=after).contains(&expected) {
                findings.add(Problem::WrongTotal { what, expected, found });
            }
        };
        let in_batches = |counts: Counts| counts.records.saturating_sub(counts.unbatched);
        total("signatures", self.signed_records(), before.signatures, after.signatures);
        total("records in batches", self.records.iter().sum(), in_batches(before), in_batches(after));
        total("batches", self.batches.iter().sum(), before.batches, after.batches);

        let counted: HashMap<_, _> = keys_before.iter().map(|key| (key.id, key.signature_count)).collect();
        for key in keys_after {
            let expected = self.by_key.get(&key.id).copied().unwrap_or(0);
            let before = counted.get(&key.id).copied().unwrap_or(0);
            if !(before..=key.signature_count).contains(&i64::try_from(expected).unwrap_or(i64::MAX)) {
                let stored = key.signature_count;
                findings.add(Problem::WrongSignatureCount { key: key.id, stored, expected });
            }
        }
    }
}
