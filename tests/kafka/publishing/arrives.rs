//! Each signature arrives, and the last message says where to go on.

use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::BaseRecord,
};
use rustix::process::Signal;
use support::waiting::until;

use crate::{
    SOON,
    broker::{Broker, Sender},
    place::Place,
    reader::Reader,
};

#[test]
fn each_signature_arrives_once_and_in_order_in_one_partition() {
    for (place, partitions) in [(Place::sqlite(), 1), (Place::postgres(), 3)] {
        let broker = Broker::start("feed", partitions);
        place.seed(300);
        let (mut service, reader) =
            (place.publish(&broker.destination("feed", "")), Reader::of(&broker.place(), "feed"));
        place.until_published(&reader, 300);
        service.signal(Signal::TERM);
        assert_eq!(service.wait(SOON), Some(0), "{}", service.log());
        assert!(service.log().contains("publishing to kafka://127.0.0.1:"), "{}", service.log());
        // The topic shows what it has, also to a publisher that knows nothing of it.
        place.forget_outlets();
        let _second = place.publish(&broker.destination("feed", "&name=another"));
        place.seed(400);
        place.until_published(&reader, 400);
        assert_eq!(reader.log().repeated, 0);
    }
}

#[test]
fn a_message_of_somebody_else_is_no_position() {
    let (broker, place) = (Broker::start("feed", 2), Place::sqlite());
    place.seed(100);
    let first = place.publish_and_answer(&broker.destination("feed", ""));
    until("they are published", SOON, || place.status(&first)["signatures"] == 100);
    until("the position is stored", SOON, || place.number("SELECT max(position) FROM outlet") == 5);
    drop(first);
    let sender = Sender::to(&broker.place());
    let foreign = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some("hello") });
    let (key, body) = (String::new(), b"{}".to_vec());
    sender.queue(BaseRecord::to("feed").key(&key).payload(&body).headers(foreign).partition(0));
    sender.finish();
    let second = place.publish_and_answer(&broker.destination("feed", ""));
    place.seed(200);
    until("the rest is published", SOON, || place.status(&second)["signatures"] == 100);
}
