//! Checks the sums over all rows.

use super::{Batches, Breach};
use crate::domain::KeyId;

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFact {
    /// The key.
    pub key: KeyId,
    /// Its signature count.
    pub signatures: i64,
    /// The most signatures that it may have.
    pub limit: Option<i64>,
}

/// Counted rows, all at one moment.
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
    /// The sum of the record counts of all batches, without records that were lost with their batches.
    pub in_batches: u64,
    /// The sum of the record counts of signed batches.
    pub in_signed: u64,
    /// The same of lost batches, without records that were lost with them.
    pub in_lost: u64,
}

/// Checks that each record is in a batch or waits for one, and that exactly the records of signed batches have
/// signatures.
pub fn check_counts(counts: Counts) -> Vec<Breach> {
    let batched = counts.records.saturating_sub(counts.unbatched);
    [("signatures", counts.in_signed, counts.signatures), ("records in batches", counts.in_batches, batched)]
        .into_iter()
        .filter(|(_, expected, found)| expected != found)
        .map(|(what, expected, found)| Breach::WrongTotal { what, expected, found })
        .collect()
}

impl Batches {
    /// Checks the signature count of a key, after all batches were seen. The sum over the batches lies between the
    /// counts before (`before`) and after the batches were read, because signatures are only added. When no process
    /// signs, the three numbers are equal. None of them is above the limit, which is never set below the count.
    pub fn check_key(&self, fact: KeyFact, before: i64) -> Vec<Breach> {
        let KeyFact { key, signatures: stored, limit } = fact;
        let expected = self.by_key.get(&key).copied().unwrap_or(0);
        let sum = i64::try_from(expected).unwrap_or(i64::MAX);
        let miscounted = !(before..=stored).contains(&sum);
        let exceeded = limit.filter(|limit| sum.max(stored) > *limit);
        let miscounted = miscounted.then_some(Breach::WrongSignatureCount { key, stored, expected });
        let exceeded =
            exceeded.map(|limit| Breach::TooManySignatures { key, stored: sum.max(stored), limit });
        miscounted.into_iter().chain(exceeded).collect()
    }
}
