//! `kill -9` of the intake, and a cluster that is away for a moment, under a producer that sends every fourth message twice.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use support::{
    brokered::Over,
    random::{Random, count},
    waiting::{lasting, until},
};

use crate::{
    SOON,
    broker::{Broker, Message, Sender},
    place::Place,
};

/// Messages in the topic that the intake may be behind, at most.
const AHEAD: usize = 3000;

#[test]
fn killed_at_random_moments_the_intake_loses_and_doubles_nothing() {
    let kills = count("TEST_KILLS", 2);
    let (broker, place, mut random) = (Broker::start("orders", 3), Place::postgres(), Random::new());
    let (is_over, sent, at) = (AtomicBool::new(false), AtomicUsize::new(0), broker.place());
    let from = broker.source("orders", "");
    thread::scope(|scope| {
        scope.spawn(|| {
            let sender = Sender::to(&at);
            while !is_over.load(SeqCst) {
                let begun = sent.load(SeqCst);
                if begun < place.records() as usize + AHEAD {
                    sender.send("orders", "ce_id", &window(begun));
                    sent.store(begun + 100, SeqCst);
                }
                lasting(Duration::from_millis(50));
            }
        });
        let over = Over(&is_over);
        let mut intake = place.take_in(&from);
        for kill in 0..kills {
            let before = place.records();
            until("messages become records", SOON, || {
                lasting(Duration::from_millis(5)); // counting takes the database from the intake
                place.records() > before + 100
            });
            random.moment(Duration::from_millis(60));
            if kill % 2 == 1 {
                broker.go_away();
                random.moment(Duration::from_millis(300));
                broker.come_back();
            }
            intake.signal(Signal::KILL);
            assert_eq!(intake.wait(Duration::from_secs(5)), None, "killed by the signal");
            intake = place.take_in(&from);
        }
        drop(over);
        let before = place.records();
        until("the last one is at work", SOON, || place.records() > before);
        intake.signal(Signal::TERM);
        assert_eq!(intake.wait(SOON), Some(0), "{}", intake.log());
    });
    let sent = sent.load(SeqCst);
    let _last = place.take_in(&from);
    place.until_records(sent);
    let names = place.names();
    assert!((0..sent).all(|number| names.contains_key(&format!("k-{number}"))), "nothing is lost");
    broker.until_committed("orders", 3);
    assert_eq!(place.refused(), [], "what comes again is no conflict");
    place.check();
    println!("measured: {kills} kills of the intake, {sent} messages");
}

/// A hundred messages, every fourth of them twice.
fn window(begin: usize) -> Vec<Message> {
    let message = |number| (Some(format!("k-{number}")), format!("payload {number}").into_bytes());
    let times = |number| if number % 4 == 0 { 2 } else { 1 };
    (begin..begin + 100).flat_map(|number| std::iter::repeat_n(message(number), times(number))).collect()
}
