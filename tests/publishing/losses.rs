//! Messages and confirms that never arrive.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use support::{
    amqp::declare,
    rabbitmq::OneBroker,
    random::{Random, count},
    waiting::until,
    wire::Wire,
};

use crate::{SOON, consumer::Consumer, place::Place};

/// The bytes of a frame that confirms, and less than a frame with signatures has.
const CONFIRM: usize = 21;
const MESSAGE: usize = 1000;

#[test]
fn whatever_confirms_are_eaten_a_consumer_that_goes_by_ids_sees_each_signature_once() {
    let losses = count("TEST_LOSSES", 30);
    let (broker, mut random, place) = (OneBroker::take(), Random::new(), Place::sqlite());
    let queue = "losses";
    declare(&broker.url(), queue);
    let (wire, consumer) = (Wire::to(broker.port()), Consumer::start(&broker.url(), queue));
    let _publisher = place.publish(&broker.queue_at(wire.port, queue, ""));
    place.under_load(&consumer, || {
        for loss in 0..losses {
            // Behind what the queue still had, so that the publisher is connected.
            let signed = place.number("SELECT count(*) FROM signature") as usize;
            until("signatures arrive", SOON, || consumer.rows() > signed);
            random.moment(Duration::from_millis(50));
            // A confirm of what has arrived is lost, or what was sent.
            let (swallows, bytes) = match loss % 3 {
                2 => (&wire.swallows, MESSAGE),
                _ => (&wire.swallows_answers, CONFIRM),
            };
            let before = wire.swallowed.load(SeqCst);
            swallows.store(true, SeqCst);
            until("something is eaten", SOON, || wire.swallowed.load(SeqCst) >= before + bytes);
            // By now a place that is stored too early would be stored.
            random.moment(Duration::from_millis(400));
            wire.cut();
            swallows.store(false, SeqCst);
        }
    });
    let records = place.records() as usize;
    place.until_published(&consumer, records);
    let log = consumer.log();
    assert_eq!(log.early, 0);
    assert!(log.repeated >= losses / 3, "what is not confirmed comes again: {}", log.repeated);
    println!("measured: {losses} losses, {} messages, {} came again", log.bodies.len(), log.repeated);
}
