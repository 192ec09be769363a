//! What a publisher of this process has done, and how it is.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    actors::clock::{Clock, boottime},
    domain::{Place, Position},
};

/// What a publisher has done since its start, and what it is at.
pub struct Counters {
    destination: String,
    clock: Clock,
    now: Mutex<Now>,
    messages: AtomicU64,
    signatures: AtomicU64,
    connections: AtomicU64,
}

/// What a publisher is at.
#[derive(Clone, Debug, Default)]
struct Now {
    state: State,
    /// Since when it does not publish, although it should.
    down_since: Option<Duration>,
    /// Why, in words.
    problem: Option<String>,
    /// Everything up to here is confirmed.
    position: Option<Position>,
    /// The last place of the feed.
    end: Place,
}

/// What a publisher is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It has no connection to the broker.
    #[default]
    Disconnected,
    /// It publishes.
    Publishing,
    /// Another node publishes to this destination.
    Standby,
    /// The broker has said that it takes no messages for now.
    Blocked,
    /// The database does not answer.
    DatabaseAway,
    /// The position is not one of this feed, so that a person has to decide where to go on.
    Stopped,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Disconnected,
        Self::Publishing,
        Self::Standby,
        Self::Blocked,
        Self::DatabaseAway,
        Self::Stopped,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Publishing => "publishing",
            Self::Standby => "standby",
            Self::Blocked => "blocked",
            Self::DatabaseAway => "database-away",
            Self::Stopped => "stopped",
        }
    }

    /// Whether nothing is wrong.
    pub const fn is_well(self) -> bool {
        matches!(self, Self::Publishing | Self::Standby)
    }
}

impl Counters {
    /// Those of a publisher to this destination, which has done nothing yet.
    pub fn new(destination: &str) -> Self {
        Self {
            destination: destination.to_owned(),
            clock: boottime(),
            now: Mutex::default(),
            messages: AtomicU64::new(0),
            signatures: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    /// Where it publishes.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// What it is at.
    pub fn state(&self) -> State {
        self.now().state
    }

    /// For how long it has not published, although it should; `None` while nothing is wrong.
    pub fn down_for(&self) -> Option<Duration> {
        let since = self.now().down_since?;
        Some((self.clock)().saturating_sub(since))
    }

    /// What is wrong, in words.
    pub fn problem(&self) -> Option<String> {
        self.now().problem.clone()
    }

    /// The position up to which everything is confirmed, as far as this process knows.
    pub fn position(&self) -> Option<Position> {
        self.now().position
    }

    /// How many batches of the feed are behind that position.
    pub fn lag(&self) -> Option<u64> {
        let now = self.now();
        let position = now.position?;
        Some(u64::try_from(now.end.0.saturating_sub(position.place.0)).unwrap_or(0))
    }

    /// Messages that were confirmed. One that was sent twice counts twice.
    pub fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }

    /// Signatures in these messages.
    pub fn signatures(&self) -> u64 {
        self.signatures.load(Relaxed)
    }

    /// Connections that were made.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    pub(super) fn enter(&self, state: State) {
        let now = (self.clock)();
        let mut at = self.now();
        at.state = state;
        if state.is_well() {
            (at.down_since, at.problem) = (None, None);
        } else {
            at.down_since = at.down_since.or(Some(now));
        }
        if state == State::Standby {
            at.position = None; // the other node knows
        }
    }

    /// Notes why nothing is published.
    pub(super) fn fail(&self, state: State, problem: String) {
        self.enter(state);
        self.now().problem = Some(problem);
    }

    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(super) fn reached(&self, position: Position) {
        self.now().position = Some(position);
    }

    pub(super) fn seen(&self, end: Place) {
        self.now().end = end;
    }

    pub(super) fn confirmed(&self, signatures: u64) {
        self.messages.fetch_add(1, Relaxed);
        self.signatures.fetch_add(signatures, Relaxed);
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
