//! The result of a check of the whole database.

use super::{Extent, Problem, findings::Findings};
use crate::store::Counts;

/// What was checked, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Records in the database.
    pub records: u64,
    /// Signatures that verified.
    pub verified: u64,
    /// Records that wait for their signature.
    pub waiting: u64,
    /// Records that were signed, and whose signatures were lost.
    pub lost: u64,
    /// Batches in the states open, leased, signed and lost.
    pub batches: [u64; 4],
    /// Keys.
    pub keys: usize,
    /// The ledger.
    pub ledger: Extent,
    /// The first problems, at most 100.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub problem_count: u64,
}

impl Report {
    pub(super) fn new(
        batches: [u64; 4],
        verified: u64,
        counts: Counts,
        keys: usize,
        ledger: Extent,
        findings: Findings,
    ) -> Self {
        let (problems, problem_count) = findings.take();
        let (records, lost) = (counts.records, counts.in_lost);
        let waiting = records.saturating_sub(counts.in_signed + lost);
        Self { records, verified, waiting, lost, batches, keys, ledger, problems, problem_count }
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problem_count == 0
    }
}
