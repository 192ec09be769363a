//! `kill -9` of the publisher and of the broker, while records are signed.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    amqp::declare,
    rabbitmq::OneBroker,
    random::{Random, count},
    waiting::until,
};

use crate::{SOON, consumer::Consumer, place::Place};

#[test]
fn killed_at_random_moments_the_publisher_and_the_broker_lose_nothing_and_repeat_by_the_same_ids() {
    let (kills, broker_kills) = (count("TEST_KILLS", 10), count("TEST_BROKER_KILLS", 1));
    let (broker, mut random, place) = (OneBroker::take(), Random::new(), Place::postgres());
    let queue = "kills";
    declare(&broker.url(), queue);
    let consumer = Consumer::start(&broker.url(), queue);
    let mut killed = false;
    let mut publisher = place.under_load(&consumer, || {
        let mut publisher = place.publish(&broker.queue(queue, ""));
        for kill in 0..kills {
            let before = consumer.rows();
            until("signatures arrive", SOON, || consumer.rows() > before);
            random.moment(Duration::from_millis(150));
            publisher.signal(Signal::KILL);
            assert_eq!(publisher.wait(Duration::from_secs(5)), None, "killed by the signal");
            // Evenly among the kills of the publisher.
            let kills_broker = kill * broker_kills / kills != (kill + 1) * broker_kills / kills;
            publisher = place.publish(&broker.queue(queue, ""));
            if kills_broker {
                let before = consumer.rows();
                until("signatures arrive", SOON, || consumer.rows() > before);
                if !killed {
                    assert_eq!(consumer.log().early, 0, "the kills of a publisher change no order");
                    killed = true;
                }
                broker.until_written(queue);
                broker.kill();
                broker.restart();
            }
        }
        publisher
    });
    publisher.signal(Signal::TERM);
    assert_eq!(publisher.wait(SOON), Some(0), "{}", publisher.log());
    let publisher = place.publish(&broker.queue(queue, ""));
    let records = place.records() as usize;
    place.until_published(&consumer, records);
    let log = consumer.log();
    place.until_empty(&broker, queue);
    drop(publisher);
    place.ok(&["verify"]);
    println!(
        "measured: {kills} kills of the publisher, {broker_kills} of the broker, {records} signatures in {} messages, \
         of which {} came again, and {} early",
        log.bodies.len(),
        log.repeated,
        log.early
    );
}
