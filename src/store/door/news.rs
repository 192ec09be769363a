//! News of what other processes do.

use std::time::Duration;

use crate::store::StoreError;

/// A database that may be able to tell of news.
pub trait News {
    /// A listener that hears at once when other processes add records or form batches; `None` where the
    /// database cannot tell, so that callers must look again and again.
    ///
    /// # Errors
    /// The database cannot be reached.
    fn listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError>;
}

/// Hears of news: records that were added, batches that became open. It may miss some, and invent
/// some: callers must look for themselves.
pub trait Listener: Send {
    /// Waits for news, at most for `timeout`; returns whether there may be any. After an error the next
    /// call tries to reach the database anew, and counts that as news.
    ///
    /// # Errors
    /// The database cannot be reached.
    fn wait(&mut self, timeout: Duration) -> Result<bool, StoreError>;
}
