//! Limits: how much of what is expensive goes on at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;

/// Places for what is expensive. Clones share them.
#[derive(Clone)]
pub struct Limits {
    /// Bulk requests.
    pub bulk: Places,
    /// Exports, each of which reads the whole database.
    pub exports: Places,
    /// Answers of the feed that have a limit.
    pub pages: Places,
    /// Clients that follow the feed.
    pub followers: Places,
    /// Verifications. Two at a time use two threads, which is a part of the cores of most machines.
    pub verifications: Places,
    /// Bundles. One at a time, because a bundle may read the records of a whole batch.
    pub bundles: Places,
    /// Generations of keys, which take a core for seconds.
    pub generations: Places,
    /// Viewers of events.
    pub viewers: Places,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bulk: Places::new(16, 0),
            exports: Places::new(4, 0),
            pages: Places::new(16, 256),
            followers: Places::new(100, 0),
            verifications: Places::new(2, 64),
            bundles: Places::new(1, 64),
            generations: Places::new(1, 4),
            viewers: Places::new(100, 0),
        }
    }
}

/// A number of places, and of callers that may wait for one.
#[derive(Clone)]
pub struct Places {
    taken: Arc<Semaphore>,
    /// A caller has a ticket while it waits and while it has a place.
    tickets: Arc<Semaphore>,
}

/// A place, until it is dropped.
pub struct Place {
    _ticket: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Places {
    fn new(places: usize, waiting: usize) -> Self {
        Self { taken: Arc::new(Semaphore::new(places)), tickets: Arc::new(Semaphore::new(places + waiting)) }
    }

    /// Takes a place, and waits for one if there is room to wait.
    ///
    /// # Errors
    /// [`Kind::Overloaded`](super::problem::Kind::Overloaded) when too many callers wait already.
    pub async fn take(&self) -> Result<Place, Problem> {
        let ticket = Arc::clone(&self.tickets).try_acquire_owned().map_err(|_| Problem::overloaded())?;
        let place = Arc::clone(&self.taken).acquire_owned().await.map_err(|_| Problem::overloaded())?;
        Ok(Place { _ticket: ticket, _place: place })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn who_finds_neither_a_place_nor_room_to_wait_is_refused() {
        let places = Places::new(1, 1);
        let first = places.take().now_or_never().unwrap().unwrap();
        let mut second = Box::pin(places.take());
        assert!(second.as_mut().now_or_never().is_none(), "it waits");
        assert!(places.take().now_or_never().unwrap().is_err());
        drop(first);
        assert!(second.now_or_never().unwrap().is_ok());
        assert!(places.take().now_or_never().unwrap().is_ok(), "the place was given back");
    }
}
