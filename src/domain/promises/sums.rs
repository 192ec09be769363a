//! What all rows add up to.

use super::{Batches, Breach};
use crate::domain::KeyId;

/// True counts of rows, all of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows of `record`.
    pub records: u64,
    /// Rows of `signature`.
    pub signatures: u64,
    /// Rows of `batch`.
    pub batches: u64,
    /// Records that wait for a batch.
    pub unbatched: u64,
    /// What the batches' record counts add up to.
    pub in_batches: u64,
    /// What the record counts of signed batches add up to.
    pub in_signed: u64,
}

/// Records are in batches or wait for one, and those of signed batches, no others, have signatures.
pub fn check_counts(counts: Counts) -> Vec<Breach> {
    let batched = counts.records.saturating_sub(counts.unbatched);
    [("signatures", counts.in_signed, counts.signatures), ("records in batches", counts.in_batches, batched)]
        .into_iter()
        .filter(|(_, expected, found)| expected != found)
        .map(|(what, expected, found)| Breach::WrongTotal { what, expected, found })
        .collect()
}

impl Batches {
    /// Checks how many signatures a key counts, when all batches were seen: what they add up to lies
    /// between its counts `before` and after (`stored`), since signatures only ever come. At rest that
    /// leaves no room.
    pub fn check_key(&self, key: KeyId, before: i64, stored: i64) -> Option<Breach> {
        let expected = self.by_key.get(&key).copied().unwrap_or(0);
        let is_possible = i64::try_from(expected).is_ok_and(|sum| (before..=stored).contains(&sum));
        (!is_possible).then_some(Breach::WrongSignatureCount { key, stored, expected })
    }
}
