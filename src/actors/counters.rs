//! Counters: what a run has done so far, for a progress bar or a status line.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{messages::FailureReason, timing::Timing};

/// What one run has done so far. The counters only rise.
#[derive(Debug, Default)]
pub struct Counters {
    signed: AtomicU64,
    fenced: AtomicU64,
    failed: [AtomicU64; FailureReason::ALL.len()],
    commits: Timing,
    batch_commits: Timing,
}

impl Counters {
    /// Records whose signatures this run stored.
    pub fn signed(&self) -> u64 {
        self.signed.load(Relaxed)
    }

    /// Batches that this run stored.
    pub fn batches(&self) -> u64 {
        self.batch_commits.read().count()
    }

    /// Batches whose signatures were dropped because the lease had ended.
    pub fn fenced(&self) -> u64 {
        self.fenced.load(Relaxed)
    }

    /// Batches that were not signed.
    pub fn failed(&self) -> u64 {
        FailureReason::ALL.into_iter().map(|reason| self.failed_for(reason)).sum()
    }

    /// Batches that were not signed for this reason.
    pub fn failed_for(&self, reason: FailureReason) -> u64 {
        self.failed[reason as usize].load(Relaxed)
    }

    /// Transactions in which batches were stored.
    pub fn commits(&self) -> u64 {
        self.commits.read().count()
    }

    /// How long these transactions took, from the first attempt to the answer.
    pub fn commit_times(&self) -> &Timing {
        &self.commits
    }

    /// The same time for each batch that was stored, however many were in its transaction.
    pub fn batch_commit_times(&self) -> &Timing {
        &self.batch_commits
    }

    pub(super) fn add_committed(&self, records: u64, took: Duration) {
        self.signed.fetch_add(records, Relaxed);
        self.batch_commits.add(took);
    }

    pub(super) fn add_fenced(&self) {
        self.fenced.fetch_add(1, Relaxed);
    }

    pub(super) fn add_failed(&self, reason: FailureReason) {
        self.failed[reason as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn add_commit(&self, took: Duration) {
        self.commits.add(took);
    }
}
