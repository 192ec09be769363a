//! The store, and what only tests do with it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::state::State;
use signwave::{
    domain::{NodeId, RecordId},
    store::{Listener, News, StoreError},
};

/// Everything is forgotten when it is dropped.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        let mut state = self.lock();
        state.now = state.now.saturating_add(time);
    }

    /// Sets the clock back, as leases see it: they end that much later.
    pub fn set_back(&self, time: Duration) {
        let state = &mut *self.lock();
        for node in state.nodes.values_mut() {
            node.lease_until = node.lease_until.saturating_add(time);
        }
        for (_, until) in state.outlets.values_mut().filter_map(|outlet| outlet.holder.as_mut()) {
            *until = until.saturating_add(time);
        }
    }

    /// Adds a record under a given id, as other processes may with plain SQL.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the id is taken, or not above the frontier.
    pub fn insert_at(&self, id: RecordId, payload: &[u8]) -> Result<(), StoreError> {
        self.lock().insert_at(id, payload)
    }

    /// Makes the process of `node` look dead, so that the next reclaim takes its leases.
    pub fn declare_dead(&self, node: NodeId) {
        if let Some(node) = self.lock().nodes.get_mut(&node) {
            node.is_dead = true;
        }
    }

    /// A standby with all that is here now, and nothing that comes after.
    #[must_use]
    pub fn standby(&self) -> Self {
        Self { state: Mutex::new(self.lock().clone()) }
    }

    /// The database fails over to `standby`: what the standby does not know has never happened.
    pub fn fail_over_to(&self, standby: &Self) {
        let state = standby.lock().clone();
        *self.lock() = state;
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News for MemoryStore {
    fn listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError> {
        Ok(None)
    }

    fn feed_listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError> {
        Ok(None)
    }
}
