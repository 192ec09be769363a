//! Messages and confirms that never arrive.

use support::{
    amqp::declare,
    rabbitmq::OneBroker,
    random::{Random, count},
    wire::Wire,
};

use crate::{consumer::Consumer, place::Place};

/// The bytes of a frame that confirms.
const CONFIRM: usize = 21;

#[test]
fn whatever_confirms_are_eaten_a_consumer_that_goes_by_ids_sees_each_signature_once() {
    let losses = count("TEST_LOSSES", 30);
    let (broker, mut random, place) = (OneBroker::take(), Random::new(), Place::sqlite());
    let queue = "losses";
    declare(&broker.url(), queue);
    let (wire, consumer) = (Wire::to(broker.port()), Consumer::start(&broker.url(), queue));
    let _publisher = place.publish(&broker.queue_at(wire.port, queue, ""));
    place.under_load(&consumer, || place.lose(&wire, CONFIRM, losses, &consumer, &mut random));
    let records = place.records() as usize;
    place.until_published(&consumer, records);
    let log = consumer.log();
    assert_eq!(log.early, 0);
    assert!(log.repeated >= losses / 3, "what is not confirmed comes again: {}", log.repeated);
    println!("measured: {losses} losses, {} messages, {} came again", log.bodies.len(), log.repeated);
}
