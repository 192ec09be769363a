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
    lasting(Duration::from_millis(700)); // the broker's counts are half a second old
    let (ready, unacknowledged) = broker.counts(queue);
    assert_eq!((place.records() + ready as i64, unacknowledged), (MESSAGES, 0));
    println!("measured: stopped after {} of {MESSAGES} messages", place.records());
    let _second = place.take_in(&broker.queue(queue, ""));
    place.until_records(MESSAGES as usize);
    place.until_empty(&broker, queue);
}
