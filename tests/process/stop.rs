//! SIGTERM and SIGINT, under load.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::{
    process::Running,
    random::{Random, count},
    site::{Site, number},
    waiting::{lasting, until},
};

#[test]
fn stopped_under_load_it_exits_0_within_5_seconds_with_nothing_leased() {
    let mut random = Random::new();
    let site = Site::new(4, 2048, 0);
    let mut sql = site.sql();
    let (stops, mut times) = (count("TEST_STOPS", 20), Vec::new());
    for round in 0..stops {
        // A backlog that never ends, and does not grow with the rounds.
        site.keep_waiting(&mut sql, 2000);
        let mut process = site.spawn("log", &["serve", "--batch-size", "300"]);
        // Long enough that its signal handlers are there: before that a signal just ends it.
        until("it has registered", Duration::from_secs(10), || {
            number(&mut sql, "SELECT count(*) FROM node") == 1 || !process.is_running()
        });
        random.moment(Duration::from_millis(200));
        let begun = Instant::now();
        process.signal(if round % 2 == 0 { Signal::TERM } else { Signal::INT });
        assert_eq!(process.wait(Duration::from_secs(5)), Some(0), "round {round}: {}", process.log());
        times.push(begun.elapsed());
        assert_eq!(number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'"), 0, "round {round}");
        assert_eq!(number(&mut sql, "SELECT count(*) FROM node"), 0, "round {round}");
    }
    site.ok(&["sign"]);
    site.check_all_signed();
    let records = number(&mut sql, "SELECT count(*) FROM record");
    times.sort();
    println!("measured: {stops} stops, {records} records; they took {times:?}");
    // While the machine stands still, nothing ends.
    assert!(times[stops / 2] < Duration::from_secs(5), "{times:?}");
}

/// A process that has been asked to stop and finishes a batch. Asked before it has begun one, it would just end: then
/// another one is given more time to begin.
fn finishing(site: &Site, arguments: &[&str]) -> Running {
    let mut sql = site.sql();
    for attempt in 1..=10 {
        let mut process = site.spawn("log", arguments);
        until("a batch is held", Duration::from_secs(60), || {
            number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'") > 0
        });
        lasting(attempt * Duration::from_millis(300));
        // As GNU timeout does, which sends its signal to the process, and then to its group.
        process.signal(Signal::TERM);
        lasting(Duration::from_millis(3));
        if process.is_running() {
            process.signal(Signal::TERM);
        }
        let finishes = |process: &Running| process.log().contains("stopping: finishing the");
        until("it stops", Duration::from_secs(60), || finishes(&process) || !process.is_running());
        if process.is_running() {
            return process;
        }
    }
    panic!("no batch was ever being signed when the signal came");
}

#[test]
fn a_second_signal_gives_everything_back_and_a_third_ends_it_at_once() {
    for (signals, code, nodes) in [(vec![Signal::INT], 0, 0), (vec![Signal::INT, Signal::TERM], 143, 1)] {
        // To sign a batch takes 13 seconds.
        let site = Site::new(2, 8192, 400);
        let mut process = finishing(&site, &["serve", "--stop-grace", "1h"]);
        // Until the same signal is no echo of the first one any more: which of two comes first is open.
        lasting(Duration::from_millis(1100));
        let mut sql = site.sql();
        assert!(process.is_running(), "it finishes what it has in hand");
        for signal in signals {
            process.signal(signal);
        }
        assert_eq!(process.wait(Duration::from_secs(5)), Some(code), "{}", process.log());
        assert_eq!(number(&mut sql, "SELECT count(*) FROM signature"), 0, "nothing was stored in part");
        assert_eq!(number(&mut sql, "SELECT count(*) FROM node"), nodes);
    }
}

#[test]
fn a_batch_that_was_begun_is_finished_also_when_the_signal_comes_twice_and_sign_says_that_work_is_left() {
    // RSA-4096: a batch takes seconds.
    let site = Site::new(2, 4096, 6000);
    let mut sql = site.sql();
    let mut process = finishing(&site, &["sign", "--batch-size", "1000", "--signers", "1"]);
    assert_eq!(process.wait(Duration::from_secs(30)), Some(143), "{}", process.log());
    let signed = number(&mut sql, "SELECT count(*) FROM signature");
    assert!(signed > 0 && signed % 1000 == 0, "{signed}: {}", process.log());
    assert!(process.log().contains("stopped before the end"), "{}", process.log());
    assert_eq!(number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'"), 0);
}
