//! Notifications of what other processes do.

use std::time::Duration;

use crate::store::StoreError;

/// A database that may be able to send notifications.
pub trait News {
    /// A listener that is notified at once when other processes add records or form batches; `None` where the
    /// database has no notifications, so that callers must poll.
    ///
    /// # Errors
    /// The database cannot be reached.
    fn listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError>;

    /// The same for new positions of the feed, which this or another process gave.
    ///
    /// # Errors
    /// The database cannot be reached.
    fn feed_listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError>;
}

/// Receives notifications. Notifications may be lost, or come
/// without a cause, so callers must check for themselves.
pub trait Listener: Send {
    /// Waits for a notification, at most for `timeout`; returns whether there may be one. After an error the
    /// next call connects again, and counts that as a notification.
    ///
    /// # Errors
    /// The database cannot be reached.
    fn wait(&mut self, timeout: Duration) -> Result<bool, StoreError>;
}
