//! The recorder: reads the counters of this process once a second, and asks the database nothing.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use actix_rt::time::interval;
use tokio::time::Instant;

use super::ring::{Ring, Step};
use crate::actors::{Counters, Parts, Vitals};

/// How long a look at the backlog counts: viewers look once a second, more or less.
const SEEN: Duration = Duration::from_secs(2);

/// What this process has done lately. Clones share it.
#[derive(Clone)]
pub struct History(Arc<Shared>);

struct Shared {
    began: Instant,
    counters: Arc<Counters>,
    vitals: Vitals,
    state: Mutex<State>,
}

struct State {
    rings: Rings,
    /// What the counters were when they were read last.
    signed: u64,
    busy: Duration,
    /// When somebody looked at the backlog, and what it was.
    backlog: Option<(Instant, u64)>,
}

/// A ring for each range.
struct Rings([Ring; 3]);

/// A time until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Ten minutes, in seconds.
    TenMinutes,
    /// An hour, in steps of five seconds.
    Hour,
    /// A day, in minutes.
    Day,
}

impl Default for Rings {
    fn default() -> Self {
        let ring = |seconds, steps| Ring::new(Duration::from_secs(seconds), steps);
        Self([ring(1, 600), ring(5, 720), ring(60, 1440)])
    }
}

impl Rings {
    fn add(&mut self, now: Duration, more: Step) {
        self.0.iter_mut().for_each(|ring| ring.add(now, more));
    }

    fn of(&self, range: Range) -> &Ring {
        &self.0[range as usize]
    }
}

/// The steps of a range, as they are now.
pub struct Shown {
    /// How long each is.
    pub length: Duration,
    /// How long ago each began, and what happened in it. The last one is still going on.
    pub steps: Vec<(Duration, Step)>,
}

impl History {
    /// Begins to record. To be called inside an actix system, with which the recording ends.
    pub fn start(parts: &Parts) -> Self {
        let (counters, vitals) = (Arc::clone(&parts.counters), parts.vitals.clone());
        let state = State { rings: Rings::default(), signed: 0, busy: Duration::ZERO, backlog: None };
        let shared = Arc::new(Shared { began: Instant::now(), counters, vitals, state: Mutex::new(state) });
        actix_rt::spawn(record(Arc::downgrade(&shared)));
        Self(shared)
    }

    /// Notes how many records wait, as somebody who looked at the status has seen.
    pub fn note_backlog(&self, waiting: u64) {
        self.0.lock().backlog = Some((Instant::now(), waiting));
    }

    /// What happened until now.
    pub fn shown(&self, range: Range) -> Shown {
        let now = self.0.record();
        let state = self.0.lock();
        let ring = state.rings.of(range);
        let ago = |(began, step)| (now.saturating_sub(began), step);
        Shown { length: ring.length(), steps: ring.steps().map(ago).collect() }
    }
}

async fn record(shared: Weak<Shared>) {
    let mut ticks = interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        shared.record();
    }
}

impl Shared {
    /// Adds what happened since the last call. Returns the time since the beginning.
    fn record(&self) -> Duration {
        let mut state = self.lock();
        let now = self.began.elapsed();
        let (signed, busy) = (self.counters.signed(), self.vitals.signing_time());
        let backlog = state.backlog.filter(|(at, _)| at.elapsed() < SEEN).map(|(_, waiting)| waiting);
        let more = Step {
            signed: signed.saturating_sub(state.signed),
            busy: busy.saturating_sub(state.busy),
            backlog,
        };
        (state.signed, state.busy) = (signed, busy);
        state.rings.add(now, more);
        now
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
