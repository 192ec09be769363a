//! What all rows add up to.

use std::collections::HashMap;

use super::{Problem, findings::Findings};
use crate::{
    domain::{BatchState, KeyId},
    store::{BatchRow, Counts, KeyRow},
};

/// Rows, and what the batches say of them, were counted at one moment: they must be equal.
pub(super) fn check_counts(counts: Counts, findings: &Findings) {
    let check = |what, expected, found| {
        if expected != found {
            findings.add(Problem::WrongTotal { what, expected, found });
        }
    };
    check("signatures", counts.in_signed, counts.signatures);
    check("records in batches", counts.in_batches, counts.records.saturating_sub(counts.unbatched));
}

/// What the batches seen so far add up to.
#[derive(Default)]
pub(super) struct Totals {
    /// Batches by state: open, leased, signed.
    pub(super) batches: [u64; 3],
    /// Records of signed batches by key.
    by_key: HashMap<KeyId, u64>,
}

impl Totals {
    pub(super) fn add(&mut self, batch: &BatchRow) {
        let (_, _, count) = batch.stored_span;
        self.batches[batch.state as usize] += 1;
        if let (BatchState::Signed, Some(key)) = (batch.state, batch.key) {
            *self.by_key.entry(key).or_default() += count;
        }
    }

    /// Each key's sum lies between what the key counted before and what it counted after, since
    /// signatures only ever come. At rest that leaves no room.
    pub(super) fn check_keys(&self, before: &[KeyRow], after: &[KeyRow], findings: &Findings) {
        let before: HashMap<_, _> = before.iter().map(|key| (key.id, key.signature_count)).collect();
        for key in after {
            let expected = self.by_key.get(&key.id).copied().unwrap_or(0);
            let possible = before.get(&key.id).copied().unwrap_or(0)..=key.signature_count;
            if !i64::try_from(expected).is_ok_and(|expected| possible.contains(&expected)) {
                let stored = key.signature_count;
                findings.add(Problem::WrongSignatureCount { key: key.id, stored, expected });
            }
        }
    }
}
