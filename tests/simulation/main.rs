//! Simulation: the real actors of one to three nodes over one store in memory, on one thread, in time that
//! passes as fast as it can. One seed decides everything that happens; whatever fails is replayed by its seed.
//!
//! Real: Service and every actor that it starts, the steps of signing jobs, what DbExecutor does with each
//! message, the store in memory. Simulated: threads, time, the network in front of the store, the keys.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod beside;
mod checks;
mod database;
mod ending;
mod fate;
mod node;
mod panics;
mod scenario;
mod shared;
mod signers;
mod simulation;
mod troubles;

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread,
    time::Instant,
};

use fate::Tally;
use support::random::{count, seed};

/// What must have happened again and again, or the simulation proves nothing: in one of so many runs at least.
const MUST_HAPPEN: [(&str, usize); 22] = [
    ("call failed", 1),
    ("call panicked", 20),
    ("reply lost", 2),
    ("message late", 2),
    ("partition", 3),
    ("outage", 6),
    ("crash", 2),
    ("crash at a call", 6),
    ("declared dead", 6),
    ("frozen in a commit", 3),
    ("pause", 2),
    ("stop", 3),
    ("abort", 20),
    ("clock step", 3),
    ("key set aside", 3),
    ("signer failed", 2),
    ("signer panicked", 4),
    ("reclaimed", 2),
    ("fenced", 12),
    ("read back stored", 8),
    ("read back not stored", 12),
    ("card used", 4),
];

#[test]
fn whatever_happens_every_promise_holds_and_everything_is_signed_in_the_end() {
    let runs = count("TEST_RUNS", 300);
    let first = first_seed();
    let begun = Instant::now();
    let (tallies, failures) = side_by_side(first, runs);
    let mut tally = Tally::default();
    tallies.into_iter().for_each(|other| tally.add(other));
    println!("measured: {runs} runs in {:.0} s: {tally}", begun.elapsed().as_secs_f64());
    for failure in failures.iter().take(3) {
        println!("{failure}");
    }
    assert!(failures.is_empty(), "{} of {runs} runs failed", failures.len());
    for (what, in_runs) in MUST_HAPPEN.into_iter().filter(|_| runs >= 100) {
        let (least, found) = (runs / in_runs / 2, tally.count(what));
        assert!(found >= least as u64, "too rare to prove anything: {what}, {found} times in {runs} runs");
    }
}

/// `TEST_SEED`, or always the same: what is run with every change judges the change. Others are for torture.
fn first_seed() -> u64 {
    if std::env::var_os("TEST_SEED").is_some() { seed() } else { 1 }
}

/// Each core takes the next seed when it is done with one.
fn side_by_side(first: u64, runs: usize) -> (Vec<Tally>, Vec<String>) {
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut tally, mut failures) = (Tally::default(), Vec::new());
        while let Some(run) = Some(next.fetch_add(1, SeqCst)).filter(|run| *run < runs) {
            let report = simulation::run(first.wrapping_add(run as u64));
            tally.add(report.tally);
            failures.extend(report.failure);
        }
        (tally, failures)
    };
    let cores = thread::available_parallelism().map_or(1, usize::from).min(runs);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        let (tallies, failures): (Vec<_>, Vec<_>) = results.unzip();
        (tallies, failures.concat())
    })
}

#[test]
fn the_same_seed_is_the_same_run() {
    let first = first_seed();
    let mut traces = std::collections::HashSet::new();
    let seeds = count("TEST_REPLAYS", 10) as u64;
    for seed in (first..).take(seeds as usize) {
        let (once, again) = (simulation::run(seed), simulation::run(seed));
        assert_eq!(once.failure, None);
        assert_eq!((once.events, once.trace), (again.events, again.trace), "seed {seed}");
        traces.insert(once.trace);
    }
    assert_eq!(traces.len() as u64, seeds, "other seeds are other runs");
    println!("measured: {seeds} seeds run twice, each with the same trace of every event");
}
