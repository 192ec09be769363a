//! What becomes of messages: records, and refusals.

use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::BaseRecord,
};
use support::{amqp::numbered, waiting::until};

use crate::{
    SOON,
    broker::{Broker, Message, Sender},
    place::Place,
};

fn message(name: Option<&str>, body: &str) -> Message {
    (name.map(str::to_owned), body.as_bytes().to_vec())
}

#[test]
fn messages_of_all_partitions_become_records_each_once_although_every_fourth_came_twice() {
    for place in [Place::sqlite(), Place::postgres()] {
        let broker = Broker::start("orders", 3);
        let messages = numbered("m", 600);
        let doubled = messages.iter().enumerate().flat_map(|(number, message)| {
            std::iter::repeat_n(message.clone(), if number % 4 == 0 { 2 } else { 1 })
        });
        let sender = Sender::to(&broker.place());
        sender.send("orders", "ce_id", &doubled.collect::<Vec<_>>()[..400]); // before there was a group
        let intake = place.take_in_and_answer(&broker.source("orders", ""));
        place.until_records(320);
        sender.send("orders", "ce_id", &messages);
        place.until_records(600);
        broker.until_committed("orders", 3);
        assert_eq!(place.refused(), []);
        let names = messages.into_iter().map(|(name, _)| name.unwrap()).collect::<Vec<_>>();
        assert!(names.iter().all(|name| place.names().contains_key(name)));
        let metrics = intake.admin()("/metrics");
        let metric = |name: &str| {
            let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
        };
        let repeated = metric("signwave_intake_repeated_total");
        assert_eq!((metric("signwave_intake_records_total"), repeated), (600.0, 400.0), "{metrics}");
        drop(intake);
        place.check();
    }
}

#[test]
fn what_cannot_become_a_record_is_refused_with_its_reason_and_does_not_stop_the_rest() {
    let (broker, place) = (Broker::start("orders", 1), Place::sqlite());
    let intake = place.take_in(&broker.source("orders", ""));
    let sender = Sender::to(&broker.place());
    let messages = [
        message(Some("a"), "first"),
        message(None, "nameless"),
        message(Some("a"), "another payload"),
        message(Some(""), "an empty name"),
        message(Some("b"), "second"),
    ];
    sender.send("orders", "ce_id", &messages);
    sender.send("orders", "other_header", &[message(Some("c"), "the key and another header are no name")]);
    let bytes = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some(b"\xff".as_slice()) });
    let two = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some("not this one") });
    let two = two.insert(Header { key: "ce_id", value: Some("c") });
    let (key, body) = ("k".to_owned(), b"c".to_vec());
    sender.queue(BaseRecord::to("orders").key(&key).payload(&body).headers(bytes));
    sender.queue(BaseRecord::to("orders").key(&key).payload(&body).headers(two));
    sender.finish();
    place.until_records(3);
    broker.until_committed("orders", 1);
    assert_eq!(place.names().into_keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    let mut reasons: Vec<_> = place.refused().into_iter().map(|(_, reason)| reason).collect();
    reasons.sort_unstable();
    let (bad, nameless) = ("bad-external-id", "no-external-id");
    assert_eq!(reasons, [bad, bad, "conflict", nameless, nameless], "{}", intake.log());
    assert!(place.ok(&["refused", "list", "--json"]).contains(r#""source":"kafka:orders""#));
}

#[test]
fn an_address_names_another_header_and_bodies_may_be_objects_without_a_name() {
    let (broker, place) = (Broker::start("orders", 1), Place::sqlite());
    let _intake = place.take_in(&broker.source("orders", "&id=message_id&body=json&without-id=accept"));
    let sender = Sender::to(&broker.place());
    let messages = [
        message(Some("by header"), r#"{"payload": "p"}"#),
        message(None, r#"{"external_id": "by body", "payload": "p"}"#),
        message(None, r#"{"payload": "nameless"}"#),
        message(Some("malformed"), "{"),
    ];
    sender.send("orders", "message_id", &messages);
    place.until_records(3);
    until("the last one is refused", SOON, || place.refused() == [(1, "malformed".to_owned())]);
    broker.until_committed("orders", 1);
    assert_eq!(place.names().into_keys().collect::<Vec<_>>(), ["by body", "by header"]);
}
