//! Waiting for a server no longer than a while. libpq waits without limit for the answer to a statement, and the wait cannot
//! be cancelled.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

/// Calls that wait for servers, each in a thread. If one takes too long, its thread is left behind until the wait ends, so the
/// number of threads needs a bound.
pub struct Waits {
    at_most: usize,
    under_way: AtomicUsize,
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Overdue {
    /// It was not begun.
    #[error("{0} earlier attempts are still waiting for an answer")]
    TooMany(usize),
    /// It was not begun.
    #[error("cannot start a thread: {0}")]
    NoThread(String),
    /// It goes on.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// It panicked.
    #[error("the attempt failed")]
    Failed,
}

impl Waits {
    /// So many calls may be under way at a time.
    pub const fn at_most(at_most: usize) -> Self {
        Self { at_most, under_way: AtomicUsize::new(0) }
    }

    /// Calls `work` in a thread, and returns what it returns.
    ///
    /// # Errors
    /// When it takes longer than `limit`. Then its result is dropped where it ends.
    pub fn within<T: Send + 'static>(
        &'static self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overdue> {
        if self.under_way.fetch_add(1, SeqCst) >= self.at_most {
            self.under_way.fetch_sub(1, SeqCst);
            return Err(Overdue::TooMany(self.at_most));
        }
        let (sender, receiver) = channel();
        let attempt = move || {
            let result = work();
            self.under_way.fetch_sub(1, SeqCst);
            // The caller may have given up: then the result is dropped here.
            drop(sender.send(result));
        };
        if let Err(error) = thread::Builder::new().name("libpq".to_owned()).spawn(attempt) {
            self.under_way.fetch_sub(1, SeqCst);
            return Err(Overdue::NoThread(error.to_string()));
        }
        receiver.recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => Overdue::Silent(limit),
            RecvTimeoutError::Disconnected => Overdue::Failed,
        })
    }
}
