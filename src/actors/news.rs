//! News: notifications of new records, so that Emit looks at once instead of at its next poll.

use std::sync::Arc;

use tokio::sync::Notify;

/// Notifies a run of new records. Clones share one notification: one clone is handed to a run, and another notifies.
/// Any thread may notify, even before a run listens.
#[derive(Clone, Default)]
pub struct News(Arc<Notify>);

impl News {
    /// Notifies the run that this or another process has committed records. After any number of notifications
    /// during a look at the database, Emit looks once more.
    pub fn tell(&self) {
        self.0.notify_one();
    }

    /// Returns after a notification.
    pub(super) async fn heard(&self) {
        self.0.notified().await;
    }
}
