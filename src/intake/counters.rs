//! What the intake of this process has done, and how it is.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::domain::{ArrivalVerdict, Refusal};

/// What an intake has done since its start, and what it is at. The numbers only rise.
#[derive(Debug, Default)]
pub struct Counters {
    state: AtomicU8,
    stored: AtomicU64,
    repeated: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
    acknowledged: AtomicU64,
    connections: AtomicU64,
}

/// What an intake is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It has no connection to the broker.
    #[default]
    Disconnected,
    /// Messages come.
    Connected,
    /// It takes no messages, because the database does not answer.
    DatabaseAway,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Disconnected, Self::Connected, Self::DatabaseAway];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connected => "connected",
            Self::DatabaseAway => "database-away",
        }
    }
}

impl Counters {
    /// What the intake is at.
    pub fn state(&self) -> State {
        State::ALL.into_iter().find(|state| *state as u8 == self.state.load(Relaxed)).unwrap_or_default()
    }

    /// Messages that became records.
    pub fn stored(&self) -> u64 {
        self.stored.load(Relaxed)
    }

    /// Messages that were records already.
    pub fn repeated(&self) -> u64 {
        self.repeated.load(Relaxed)
    }

    /// Messages that were refused for this reason. One that arrives again counts again.
    pub fn refused_for(&self, reason: Refusal) -> u64 {
        self.refused[reason as usize].load(Relaxed)
    }

    /// Messages that were refused.
    pub fn refused(&self) -> u64 {
        Refusal::ALL.into_iter().map(|reason| self.refused_for(reason)).sum()
    }

    /// Messages that were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Relaxed)
    }

    /// Connections that were made.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    pub(super) fn enter(&self, state: State) {
        self.state.store(state as u8, Relaxed);
        if state == State::Connected {
            self.connections.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn add_acknowledged(&self, messages: usize) {
        self.acknowledged.fetch_add(messages as u64, Relaxed);
    }

    pub(super) fn add(&self, verdict: ArrivalVerdict) {
        let counter = match verdict {
            ArrivalVerdict::Record(_) => &self.stored,
            ArrivalVerdict::AlreadyThere(_) => &self.repeated,
            ArrivalVerdict::Refused(reason) => &self.refused[reason as usize],
        };
        counter.fetch_add(1, Relaxed);
    }
}
