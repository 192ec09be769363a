//! `kill -9` of the intake and of the broker, under a producer that sends every fourth message twice.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    random::{Random, count},
    waiting::{lasting, until},
};

use crate::{OneBroker, SOON, client, place::Place, producer::Producer};

#[test]
fn killed_at_random_moments_the_intake_and_the_broker_lose_and_double_nothing() {
    let (kills, broker_kills) = (count("TEST_KILLS", 8), count("TEST_BROKER_KILLS", 1));
    let (broker, mut random, place) = (OneBroker::take(), Random::new(), Place::postgres());
    let queue = "kills";
    client::declare(&broker.url(), queue);
    let producer = Producer::start(&broker.url(), queue, "k", place.sandbox.path(".").as_path());
    let mut intake = place.take_in(&broker.queue(queue, "&prefetch=300"));
    for kill in 0..kills {
        let before = place.records();
        until("messages become records", SOON * 2, || {
            lasting(Duration::from_millis(5)); // counting takes the database from the intake
            place.records() > before + 100
        });
        random.moment(Duration::from_millis(60));
        intake.signal(Signal::KILL);
        assert_eq!(intake.wait(Duration::from_secs(5)), None, "killed by the signal");
        // Evenly among the kills of the intake.
        if kill * broker_kills / kills != (kill + 1) * broker_kills / kills {
            let confirmed = producer.confirmed();
            until("the producer gets on", SOON, || producer.confirmed() > confirmed);
            broker.until_written(queue);
            broker.kill();
            broker.restart();
        }
        intake = place.take_in(&broker.queue(queue, "&prefetch=300"));
    }
    let confirmed = producer.finish();
    place.until_records(confirmed.len());
    assert_eq!(place.names(), confirmed, "nothing that was confirmed is lost, and nothing is there twice");
    place.until_empty(&broker, queue);
    assert_eq!(place.refused(), [], "what comes again is no conflict");
    intake.signal(Signal::TERM);
    assert_eq!(intake.wait(SOON), Some(0));
    place.check();
    println!(
        "measured: {kills} kills of the intake, {broker_kills} of the broker, {} messages",
        confirmed.len()
    );
}
