//! Stopping: tells waits and streams that the service stops, so that they end first.

use std::sync::Arc;

use tokio::sync::watch;

use super::problem::{Kind, Problem};

/// Whether the service stops. Clones share one state.
#[derive(Clone)]
pub struct Stopping(Arc<watch::Sender<bool>>);

impl Default for Stopping {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stopping {
    /// Tells everybody that the service stops.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether the service stops.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when the service stops.
    pub async fn begun(&self) {
        // `self` holds the sender, so waiting cannot fail.
        drop(self.0.subscribe().wait_for(|stops| *stops).await);
    }

    /// Refuses work that should not begin any more.
    ///
    /// # Errors
    /// [`Kind::Stopping`] when the service stops.
    pub fn refuse(&self) -> Result<(), Problem> {
        if self.has_begun() { Err(Problem::new(Kind::Stopping).retry_after(1)) } else { Ok(()) }
    }
}
