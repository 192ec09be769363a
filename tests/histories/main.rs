//! Random histories of everything that can happen at the door of a store, each step compared with a
//! reference that was written from the rules alone. A history that fails is shrunk to a short one.
//!
//! `TEST_SEED` replays a run, `TEST_HISTORIES` says how many histories PostgreSQL goes through; the faster
//! stores go through several times as many.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod door;
mod reference;
mod rules;
mod steps;

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Instant,
};

use door::Door;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use proptest_state_machine::Sequential;
use reference::Reference;
use steps::Step;
use support::{
    random::{Random, count},
    tested_store::TestedStore,
};

#[test]
fn memory_does_what_the_reference_does() {
    compare("memory", 60, true, TestedStore::memory);
}

#[test]
fn sqlite_does_what_the_reference_does() {
    compare("sqlite", 5, true, TestedStore::sqlite);
}

#[test]
fn postgresql_does_what_the_reference_does() {
    compare("postgresql", 1, false, TestedStore::postgres);
}

/// Steps of the longest history.
const STEPS: usize = 60;

/// Goes through random histories, each over a store of its own. On one host a process that died shows at
/// once, and records become visible in the order of their ids.
fn compare(store: &str, times: usize, one_host: bool, tested: fn() -> TestedStore) {
    let (histories, seed) = (times * count("TEST_HISTORIES", 20), Random::new().below(u64::MAX));
    let config = Config {
        cases: histories as u32,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None, // the seed replays it
        max_shrink_iters: 2000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let strategy = Sequential::new(
        (1..=STEPS).into(),
        move || steps::start(one_host),
        steps::is_possible,
        steps::next,
        Reference::after,
    );
    let (begun, taken) = (Instant::now(), Cell::new(0));
    let result = TestRunner::new(config).run(&strategy, |(start, steps, seen)| {
        taken.set(taken.get() + steps.len());
        walk(&tested(), start, &steps, seen.as_deref());
        Ok(())
    });
    match result {
        Ok(()) => println!(
            "measured: {store}: {histories} histories, {} steps as the reference, {:.1} s",
            taken.get(),
            begun.elapsed().as_secs_f64()
        ),
        Err(TestError::Fail(why, (start, steps, _))) => {
            let steps: String = steps.iter().map(|step| format!("    {step:?}\n")).collect();
            panic!("{store} differs from the reference, {why}\n{start:?}, and then\n{steps}");
        }
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// One history: after each step the store has answered as the reference has, holds what the reference
/// holds, and has kept every promise.
fn walk(tested: &TestedStore, mut reference: Reference, steps: &[Step], seen: Option<&AtomicUsize>) {
    let mut door = Door::open(tested, &reference);
    door.compare(&reference);
    for step in steps {
        if let Some(seen) = seen {
            seen.fetch_add(1, SeqCst); // what comes after the failure is cut off first
        }
        reference = reference.after(step);
        let reply = door.take(step, &reference);
        assert_eq!(reply, reference.reply, "the answer to {step:?}");
        door.compare(&reference);
    }
    door.end(&reference);
}
