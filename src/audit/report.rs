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
    /// Batches in the states open, leased and signed.
    pub batches: [u64; 3],
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
        batches: [u64; 3],
        verified: u64,
        counts: Counts,
        keys: usize,
        ledger: Extent,
        findings: Findings,
    ) -> Self {
        let (problems, problem_count) = findings.take();
        let waiting = counts.records.saturating_sub(counts.in_signed);
        Self { records: counts.records, verified, waiting, batches, keys, ledger, problems, problem_count }
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problem_count == 0
    }
}
