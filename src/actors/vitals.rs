//! Vitals: how a run is, for health checks.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use super::{standing::Standing, timing::Timings};
use crate::domain::NodeId;

/// Shows how a run is. Clones share one state: one clone is handed to a run, and others look.
#[derive(Clone, Default)]
pub struct Vitals(Arc<RwLock<Option<Arc<Standing>>>>);

impl Vitals {
    /// Whether this process is registered as a node whose lease can be trusted.
    pub fn holds_lease(&self) -> bool {
        self.node().is_some()
    }

    /// The node that this process is registered as, while its lease can be trusted.
    pub fn node(&self) -> Option<NodeId> {
        self.look(Standing::node).flatten()
    }

    /// For how long the database could not be reached; `None` while it answers.
    pub fn away_for(&self) -> Option<Duration> {
        self.look(Standing::away_for).flatten()
    }

    /// How often the database could not be reached so far.
    pub fn outages(&self) -> u64 {
        self.look(Standing::outages).unwrap_or(0)
    }

    /// How long the signing threads have signed so far, in all.
    pub fn signing_time(&self) -> Duration {
        self.look(|standing| standing.workload().busy()).unwrap_or_default()
    }

    /// How long one signature took.
    pub fn times_per_record(&self) -> Option<Timings> {
        self.look(|standing| standing.workload().per_record().read())
    }

    /// How long batches waited for a signing thread, and how long they took to be signed.
    pub fn times_per_batch(&self) -> Option<(Timings, Timings)> {
        self.look(|standing| {
            let workload = standing.workload();
            (workload.waits().read(), workload.signings().read())
        })
    }

    pub(super) fn show(&self, standing: Arc<Standing>) -> Arc<Standing> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&standing));
        standing
    }

    fn look<T>(&self, at: impl FnOnce(&Standing) -> T) -> Option<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_deref().map(at)
    }
}
