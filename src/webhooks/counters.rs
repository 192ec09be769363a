//! What the webhooks of this process have done.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What this process has sent to webhooks since its start. The numbers only rise.
#[derive(Debug, Default)]
pub struct Counters {
    delivered: AtomicU64,
    failed: AtomicU64,
    disabled: AtomicU64,
}

impl Counters {
    /// Messages that were accepted.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Relaxed)
    }

    /// Messages that failed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Webhooks that were disabled.
    pub fn disabled(&self) -> u64 {
        self.disabled.load(Relaxed)
    }

    pub(super) fn add_delivered(&self) {
        self.delivered.fetch_add(1, Relaxed);
    }

    pub(super) fn add_failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(super) fn add_disabled(&self) {
        self.disabled.fetch_add(1, Relaxed);
    }
}
