//! SIGTERM and SIGINT, under load.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::{
    process::Running,
    random::{Random, count},
    site::{Site, number},
    waiting::lasting,
};

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
        support::waiting::until("it has registered", Duration::from_secs(10), || {
            number(&mut sql, "SELECT count(*) FROM node") == 1 || !process.is_running()
        });
        random.moment(Duration::from_millis(200));
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

/// A batch of 8192-bit signatures, which takes many seconds, is being signed.
fn signing_slowly(arguments: &[&str]) -> (Site, Running) {
    let site = Site::new(2, 8192, 400);
    let process = site.spawn("log", arguments);
    let mut sql = site.sql();
    support::waiting::until("a batch is held", Duration::from_secs(60), || {
        number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'") > 0
    });
    // Its signing begins soon, and takes 13 seconds.
    lasting(Duration::from_millis(500));
    (site, process)
}

#[test]
fn a_second_signal_gives_everything_back_and_a_third_ends_it_at_once() {
    for (signals, code, nodes) in
        [(vec![Signal::TERM, Signal::INT], 0, 0), (vec![Signal::TERM, Signal::INT, Signal::TERM], 143, 1)]
    {
        let (site, mut process) = signing_slowly(&["serve", "--stop-grace", "1h"]);
        let mut sql = site.sql();
        for signal in signals {
            assert!(process.is_running(), "it finishes what it has in hand");
            process.signal(signal);
            lasting(Duration::from_millis(5));
        }
        assert_eq!(process.wait(Duration::from_secs(5)), Some(code), "{}", process.log());
        assert_eq!(number(&mut sql, "SELECT count(*) FROM signature"), 0, "nothing was stored in part");
        assert_eq!(number(&mut sql, "SELECT count(*) FROM node"), nodes);
    }
}

#[test]
fn a_batch_that_was_begun_is_finished_also_when_the_signal_comes_twice_and_sign_says_that_work_is_left() {
    // RSA-4096: a batch takes seconds. GNU timeout sends its signal to the process, and then to its group.
    let site = Site::new(2, 4096, 3000);
    let mut sql = site.sql();
    let mut process = site.spawn("log", &["sign", "--batch-size", "1000", "--signers", "1"]);
    support::waiting::until("a batch is held", Duration::from_secs(60), || {
        number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'") > 0
    });
    lasting(Duration::from_millis(300));
    process.signal(Signal::TERM);
    lasting(Duration::from_millis(3));
    process.signal(Signal::TERM);
    assert_eq!(process.wait(Duration::from_secs(30)), Some(143), "{}", process.log());
    assert_eq!(number(&mut sql, "SELECT count(*) FROM signature"), 1000, "{}", process.log());
    assert!(process.log().contains("stopped before the end"), "{}", process.log());
    assert_eq!(number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'"), 0);
}
