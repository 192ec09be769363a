//! Fate: the one source of everything that is drawn in a run, and the record of what happened.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::{self, Write as _},
    hash::{DefaultHasher, Hasher},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use support::random::Random;
use tokio::time::Instant;

/// Shared by all who take part in a run. A run has one thread, so that who draws first is certain.
#[derive(Clone)]
pub struct Fate(Arc<Mutex<Inside>>);

struct Inside {
    random: Random,
    begun: Option<Instant>,
    trace: DefaultHasher,
    events: u64,
    last: VecDeque<String>,
    shown: usize,
    tally: Tally,
}

/// How many events are shown when a run fails: all, when it is replayed.
fn shown() -> usize {
    if std::env::var("TEST_RUNS").is_ok_and(|runs| runs == "1") { usize::MAX } else { 120 }
}

/// How often each thing happened.
#[derive(Default)]
pub struct Tally(BTreeMap<&'static str, u64>);

impl Fate {
    pub fn new(seed: u64) -> Self {
        let inside = Inside {
            random: Random::seeded(seed),
            begun: None,
            trace: DefaultHasher::new(),
            events: 0,
            last: VecDeque::new(),
            shown: shown(),
            tally: Tally::default(),
        };
        Self(Arc::new(Mutex::new(inside)))
    }

    /// From here on simulated time counts. To be called inside the runtime.
    pub fn begin(&self) {
        self.lock().begun = Some(Instant::now());
    }

    /// How long the run has lasted, in simulated time.
    pub fn elapsed(&self) -> Duration {
        self.lock().begun.map(|begun| begun.elapsed()).unwrap_or_default()
    }

    /// From `least` to `most`, both included.
    pub fn between(&self, least: u64, most: u64) -> u64 {
        least + self.lock().random.below(most - least + 1)
    }

    pub fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.between(least, most))
    }

    pub fn chance(&self, per_mille: u64) -> bool {
        self.lock().random.below(1000) < per_mille
    }

    pub fn one_of<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.between(0, choices.len() as u64 - 1) as usize]
    }

    pub fn log(&self, event: fmt::Arguments<'_>) {
        let at = self.elapsed().as_millis();
        let mut line = Short(format!("{at:>7} ms  "));
        let _ = line.write_fmt(event); // cut off where it gets too long
        let mut inside = self.lock();
        inside.trace.write(line.0.as_bytes());
        inside.events += 1;
        if inside.last.len() == inside.shown {
            inside.last.pop_front();
        }
        inside.last.push_back(line.0);
    }

    pub fn count(&self, what: &'static str) {
        *self.lock().tally.0.entry(what).or_default() += 1;
    }

    pub fn counted(&self, what: &str) -> u64 {
        self.lock().tally.count(what)
    }

    /// What happened: how many events, the hash of all, the last of them, and how often what.
    pub fn end(&self) -> (u64, u64, Vec<String>, Tally) {
        let mut inside = self.lock();
        let (last, tally) = (std::mem::take(&mut inside.last), std::mem::take(&mut inside.tally));
        (inside.events, inside.trace.finish(), last.into(), tally)
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        other.0.into_iter().for_each(|(what, times)| *self.0.entry(what).or_default() += times);
    }

    pub fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(|(what, times)| format!("{what} {times}")).collect();
        f.write_str(&parts.join(", "))
    }
}

/// A line of bounded length.
struct Short(String);

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        if self.0.len() > 240 { Err(fmt::Error) } else { Ok(()) }
    }
}
