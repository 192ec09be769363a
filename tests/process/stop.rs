//! SIGTERM and SIGINT, under load.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::site::{Random, Site, count, number};

#[test]
fn stopped_under_load_it_exits_0_within_5_seconds_with_nothing_leased() {
    let mut random = Random::new();
    let site = Site::new(4, 2048, 0);
    let mut sql = site.sql();
    let (stops, mut longest) = (count("TEST_STOPS", 20), Duration::ZERO);
    for round in 0..stops {
        // A backlog that never ends, and does not grow with the rounds.
        site.keep_waiting(&mut sql, 2000);
        let mut process = site.spawn("log", &["serve", "--batch-size", "300"]);
        // Long enough that its signal handlers are there: before that a signal just ends it.
        crate::site::until("it has registered", Duration::from_secs(10), || {
            number(&mut sql, "SELECT count(*) FROM node") == 1 || !process.is_running()
        });
        thread::sleep(Duration::from_micros(random.below(200_000)));
        let begun = Instant::now();
        process.signal(if round % 2 == 0 { Signal::TERM } else { Signal::INT });
        assert_eq!(process.wait(Duration::from_secs(5)), Some(0), "round {round}: {}", process.log());
        longest = longest.max(begun.elapsed());
        assert_eq!(number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'"), 0, "round {round}");
        assert_eq!(number(&mut sql, "SELECT count(*) FROM node"), 0, "round {round}");
    }
    site.ok(&["sign"]);
    site.check_all_signed();
    let records = number(&mut sql, "SELECT count(*) FROM record");
    println!("measured: {stops} stops, {records} records; the longest took {longest:?}");
}

#[test]
fn a_second_signal_ends_it_at_once_and_the_next_run_takes_over() {
    // 8192 bits: a batch takes many seconds, which the first signal waits for a while.
    let site = Site::new(2, 8192, 400);
    let mut process = site.spawn("log", &["serve", "--stop-grace", "1h"]);
    let mut sql = site.sql();
    crate::site::until("a batch is held", Duration::from_secs(60), || {
        number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'") > 0
    });
    // By now its signing has begun, and takes 13 seconds.
    thread::sleep(Duration::from_millis(500));
    process.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(300));
    assert!(process.is_running(), "it finishes what it has in hand");
    process.signal(Signal::TERM);
    assert_eq!(process.wait(Duration::from_secs(2)), Some(1));
    assert_eq!(number(&mut sql, "SELECT count(*) FROM signature"), 0, "the batch was not stored in part");
}
