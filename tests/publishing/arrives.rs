//! Each signature arrives, in the order of the feed.

use rustix::process::Signal;
use support::{amqp::declare, rabbitmq::OneBroker, waiting::until};

use crate::{SOON, consumer::Consumer, place::Place};

#[test]
fn each_signature_arrives_in_the_order_of_the_feed() {
    let (broker, queue) = (OneBroker::take(), "arrives");
    for (number, place) in [Place::sqlite(), Place::postgres()].into_iter().enumerate() {
        let queue = format!("{queue}-{number}");
        declare(&broker.url(), &queue);
        place.seed(500);
        let consumer = Consumer::start(&broker.url(), &queue);
        let mut service = place.publish_holding("1m", &broker.queue(&queue, "")).service;
        place.until_published(&consumer, 500);
        place.seed(900); // while it is at work
        place.until_published(&consumer, 900);
        service.signal(Signal::TERM);
        assert_eq!(service.wait(SOON), Some(0), "{}", service.log());
        // What is stored was confirmed, and what was confirmed is stored: nothing comes again.
        let (messages, end) = (consumer.log().bodies.len(), place.feed().pop().unwrap());
        let position = end["position"].as_str().unwrap().rsplit_once('.').unwrap().1.to_owned();
        assert_eq!(place.number("SELECT position FROM outlet"), position.parse::<i64>().unwrap());
        let _again = place.publish_holding("1m", &broker.queue(&queue, ""));
        place.seed(920);
        place.until_published(&consumer, 920);
        let log = consumer.log();
        assert_eq!((log.repeated, log.early, log.bodies.len() > messages), (0, 0, true));
        until("the service says so", SOON, || service.log().contains("publishing to amqp://127.0.0.1:"));
    }
}
