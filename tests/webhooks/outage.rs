//! A receiver that is away.

use serde_json::Value;

use crate::{
    place::Place,
    receiver::{Receiver, Reply},
};

#[test]
fn a_receiver_that_was_down_is_caught_up_in_three_requests_at_most() {
    let (place, receiver) = (Place::sqlite(), Receiver::new());
    place.add("a", &receiver.url("/"));
    let service = place.serve();
    place.sign(1);
    receiver.until(1);
    receiver.close();
    place.sign(100);
    let row = place.until("a", "the first attempt fails", |row| row["failures"].as_u64() >= Some(1));
    assert!(row["reason"].as_str().unwrap().contains("no connection"), "{row}");
    // An hour passes, with attempts in vain and more signatures.
    for failures in 2..=4 {
        place.sign(20);
        place.until("a", "it waits", |row| !row["retry_at"].is_null());
        place.let_time_pass();
        place.until("a", "another attempt fails", |row| row["failures"].as_u64() >= Some(failures));
    }
    assert!(place.ok(&["status"]).contains("a fails, "));
    receiver.open();
    let before = receiver.messages().len();
    place.let_time_pass();
    let row = place.until("a", "it is caught up", |row| row["lag"] == 0);
    assert_eq!((&row["failures"], &row["reason"]), (&Value::from(0), &Value::Null));
    let messages = receiver.messages();
    assert!(messages.len() - before <= 3, "{} requests", messages.len() - before);
    assert_eq!(messages.last().unwrap().place(), place.last());
    place.until_said(&service, "webhook a accepts messages again");
    println!("measured: {} requests after the outage", messages.len() - before);
}

#[test]
fn after_the_last_attempt_the_webhook_is_disabled_and_a_person_enables_it() {
    let (place, receiver) = (Place::sqlite(), Receiver::replying(Reply::Status(500, String::new())));
    place.add("a", &receiver.url("/"));
    let service = place.serve();
    place.sign(1);
    for failures in 1..=9 {
        place.until("a", "it fails", |row| row["failures"] == failures);
        place.let_time_pass();
    }
    let row = place.until("a", "it is disabled", |row| row["state"] == "disabled");
    let reason = row["reason"].as_str().unwrap();
    assert!(reason.starts_with("10 messages in a row failed, the last because the server answered 500"));
    assert_eq!(receiver.messages().len(), 10);
    let ids: Vec<_> = receiver.messages().iter().map(|message| message.id().to_owned()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "each retry has the same id");
    place.until_said(&service, "webhook a is disabled");
    let status = place.ok(&["status"]);
    assert!(
        status.contains("webhooks 0 enabled, 1 disabled") && status.contains("'signwave webhooks enable a'")
    );
    receiver.reply(Reply::Status(202, String::new()));
    place.ok(&["webhooks", "enable", "a"]);
    place.until("a", "it is told", |row| row["lag"] == 0);
}

#[test]
fn a_restored_database_stops_the_webhook_loudly() {
    let (place, receiver) = (Place::sqlite(), Receiver::new());
    place.add("a", &receiver.url("/"));
    let service = place.serve();
    place.sign(1);
    receiver.until(1);
    place.sandbox.sql("UPDATE feed_identity SET id = '0123456789ab'");
    let row = place.until("a", "it is disabled", |row| row["state"] == "disabled");
    assert!(row["reason"].as_str().unwrap().contains("is not in the feed"), "{row}");
    place.sign(1);
    place.until_said(&service, "webhook a is disabled: its position");
    assert_eq!(receiver.messages().len(), 1);
    place.ok(&["webhooks", "enable", "a"]);
    assert_eq!(place.webhook("a")["position"], "0123456789ab.2");
    place.sign(1);
    assert_eq!(receiver.until(2).place(), 3);
}
