//! News: word of new records, so that Emit looks at once instead of at its next poll.

use std::sync::Arc;

use tokio::sync::Notify;

/// Word of new records. Clones are the same: one is handed to a run, and another tells. It may be told from any
/// thread, also while no run is there to hear.
#[derive(Clone, Default)]
pub struct News(Arc<Notify>);

impl News {
    /// Records were committed, by this process or another. However often this is said while Emit looks at the
    /// database, Emit looks once more.
    pub fn tell(&self) {
        self.0.notify_one();
    }

    /// Returns when there are news.
    pub(super) async fn heard(&self) {
        self.0.notified().await;
    }
}
