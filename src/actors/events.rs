//! Events: what happens seldom in a run and people should hear of, for callers that show it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio::sync::broadcast::{Receiver, Sender};

use super::clock::time_of_day;
use crate::domain::{BatchId, Epoch, KeyId};

/// Remembers the last events of a run, and sends each to those who listen. Clones share one memory: one clone is handed
/// to a run, and others listen.
#[derive(Clone)]
pub struct Events(Arc<Shared>);

struct Shared {
    memory: Mutex<Memory>,
    sender: Sender<Happened>,
}

#[derive(Default)]
struct Memory {
    last: u64,
    events: VecDeque<Happened>,
}

/// An event with its number. Numbers rise by one from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The number.
    pub number: u64,
    /// When it happened, by this machine's clock.
    pub at: SystemTime,
    /// What happened.
    pub event: Event,
}

/// What happens seldom in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The run has suspended a key that failed repeatedly.
    KeySuspended {
        /// The key.
        key: KeyId,
        /// Why.
        reason: String,
    },
    /// Signatures were dropped, because the lease of their batch had ended.
    Fenced {
        /// The batch.
        batch: BatchId,
        /// The lease number under which it was signed.
        epoch: Epoch,
    },
    /// The schema refused the signatures of a batch, which is set aside for a while.
    Refused {
        /// The batch.
        batch: BatchId,
    },
    /// A webhook was disabled.
    WebhookDisabled {
        /// Its name.
        webhook: String,
        /// Why.
        reason: String,
    },
    /// The database cannot be reached.
    DatabaseAway,
    /// The database can be reached again.
    DatabaseBack,
}

/// How many events are remembered.
const REMEMBERED: usize = 256;

impl Default for Events {
    fn default() -> Self {
        Self(Arc::new(Shared { memory: Mutex::default(), sender: Sender::new(REMEMBERED) }))
    }
}

impl Events {
    /// Notes an event.
    pub fn tell(&self, event: Event) {
        let mut memory = self.lock();
        memory.last += 1;
        let happened = Happened { number: memory.last, at: time_of_day(), event };
        if memory.events.len() == REMEMBERED {
            memory.events.pop_front();
        }
        memory.events.push_back(happened.clone());
        // Sent under the lock, so that listeners receive events in the order of their numbers. There may be no listener.
        drop(self.0.sender.send(happened));
    }

    /// The remembered events after the one with this number, and all events from now on.
    pub fn after(&self, number: u64) -> (Vec<Happened>, Receiver<Happened>) {
        let memory = self.lock();
        let missed = memory.events.iter().filter(|happened| happened.number > number).cloned();
        (missed.collect(), self.0.sender.subscribe())
    }

    /// The number of the last event, 0 if there was none.
    pub fn last(&self) -> u64 {
        self.lock().last
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fenced(batch: i64) -> Event {
        Event::Fenced { batch: BatchId(batch), epoch: Epoch(1) }
    }

    #[test]
    fn a_listener_gets_what_it_missed_and_then_each_event_once() {
        let events = Events::default();
        (1..=300).for_each(|batch| events.tell(fenced(batch)));
        let (missed, mut next) = events.after(298);
        assert_eq!(missed.iter().map(|happened| happened.number).collect::<Vec<_>>(), [299, 300]);
        assert!(next.try_recv().is_err());
        events.tell(Event::DatabaseAway);
        let happened = next.try_recv().unwrap();
        assert_eq!((happened.number, happened.event), (301, Event::DatabaseAway));
        assert!(happened.at.elapsed().is_ok_and(|ago| ago.as_secs() < 60));
        assert_eq!((events.after(0).0.len(), events.after(301).0.len(), events.last()), (REMEMBERED, 0, 301));
    }
}
