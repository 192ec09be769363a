//! A stop finishes the chunk in hand: what is stored is acknowledged, and what is not stays in the queue.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    random::Random,
    waiting::{lasting, until},
};

use crate::{
    OneBroker, SOON,
    client::{declare, numbered, publish},
    place::Place,
};

#[test]
fn a_stop_acknowledges_what_is_stored_and_leaves_the_rest_in_the_queue() {
    const MESSAGES: i64 = 6000;
    let (broker, queue, place) = (OneBroker::take(), "stop", Place::sqlite());
    declare(&broker.url(), queue);
    publish(&broker.url(), queue, &numbered("s", MESSAGES as usize));
    let mut intake = place.take_in(&broker.queue(queue, "&prefetch=100"));
    until("some are records", SOON, || place.records() > 0);
    Random::new().moment(Duration::from_millis(50));
    intake.signal(Signal::TERM);
    assert_eq!(intake.wait(SOON), Some(0), "{}", intake.log());
    let ready = MESSAGES - place.records();
    until("the broker has counted", SOON, || broker.counts(queue) == (ready as u64, 0));
    lasting(Duration::from_millis(700)); // its counts are half a second old
    assert_eq!((broker.counts(queue), MESSAGES - place.records()), ((ready as u64, 0), ready));
    println!("measured: stopped after {} of {MESSAGES} messages", place.records());
    let _second = place.take_in(&broker.queue(queue, ""));
    place.until_records(MESSAGES as usize);
    place.until_empty(&broker, queue);
}
