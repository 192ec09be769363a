//! Counters: what a run has done so far, for a progress bar or a status line.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::timing::Timing;

/// What one run has done so far. The counters only rise.
#[derive(Debug, Default)]
pub struct Counters {
    signed: AtomicU64,
    batches: AtomicU64,
    fenced: AtomicU64,
    failed: AtomicU64,
    commits: Timing,
}

impl Counters {
    /// Records whose signatures this run stored.
    pub fn signed(&self) -> u64 {
        self.signed.load(Relaxed)
    }

    /// Batches that this run stored.
    pub fn batches(&self) -> u64 {
        self.batches.load(Relaxed)
    }

    /// Batches whose signatures were dropped because the lease had ended.
    pub fn fenced(&self) -> u64 {
        self.fenced.load(Relaxed)
    }

    /// Batches that a key failed to sign.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Transactions in which batches were stored.
    pub fn commits(&self) -> u64 {
        self.commits.read().count()
    }

    /// How long these transactions took, from the first attempt to the answer.
    pub fn commit_times(&self) -> &Timing {
        &self.commits
    }

    pub(super) fn add_committed(&self, records: u64) {
        self.signed.fetch_add(records, Relaxed);
        self.batches.fetch_add(1, Relaxed);
    }

    pub(super) fn add_fenced(&self) {
        self.fenced.fetch_add(1, Relaxed);
    }

    pub(super) fn add_failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(super) fn add_commit(&self, took: Duration) {
        self.commits.add(took);
    }
}
