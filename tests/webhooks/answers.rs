//! Answers, and what each means.

use std::time::Instant;

use crate::{
    SOON,
    place::Place,
    receiver::{Receiver, Reply},
};

/// A place with one webhook and a service, after the first message was answered with this reply.
fn answered(reply: Reply) -> (Place, Receiver, support::process::Running) {
    let (place, receiver) = (Place::sqlite(), Receiver::replying(reply));
    place.add("a", &receiver.url("/hook"));
    let service = place.serve();
    place.sign(1);
    receiver.until(1);
    (place, receiver, service)
}

#[test]
fn gone_disables_the_webhook() {
    let (place, receiver, service) = answered(Reply::Status(410, "retry-after: 1\r\n".to_owned()));
    let row = place.until("a", "it is disabled", |row| row["state"] == "disabled");
    assert_eq!(row["reason"], "the server answered 410 Gone");
    place.until_said(&service, "webhook a is disabled: the server answered 410 Gone");
    let log = place.ok(&["audit-log", "--json"]);
    let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!((&last["action"], &last["object"]), (&"webhook.disable".into(), &"a".into()));
    assert!(last["who"].as_str().unwrap().starts_with("node:"));
    place.sign(5);
    let failed = place.command(&["webhooks", "test", "a"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1), "a test is sent, and not accepted");
    assert!(String::from_utf8_lossy(&failed.stderr).contains("410 Gone"));
    assert_eq!(receiver.messages().len(), 2, "no other message but the test");
}

#[test]
fn a_busy_server_says_when_it_wants_to_be_asked_again() {
    let (place, receiver, _service) = answered(Reply::Status(429, "retry-after: 7200\r\n".to_owned()));
    place.until("a", "it waits", |row| row["failures"] == 1);
    let minutes =
        place.number("SELECT CAST((julianday(retry_at) - julianday('now')) * 1440 AS INTEGER) FROM webhook");
    assert!((118..=120).contains(&minutes), "{minutes}");
    place.sign(3);
    receiver.reply(Reply::Status(204, String::new()));
    place.let_time_pass();
    assert_eq!(receiver.until(2).place(), 4, "what came in between goes with it");
}

#[test]
fn a_redirect_is_not_followed() {
    let (place, receiver, _service) = answered(Reply::Status(307, "location: /elsewhere\r\n".to_owned()));
    let row = place.until("a", "it fails", |row| row["failures"] == 1);
    let reason = "the server answered 307 Temporary Redirect, and redirects are not followed";
    assert_eq!(row["reason"], reason);
    assert_eq!(receiver.messages().iter().filter(|message| message.path != "/hook").count(), 0);
}

#[test]
fn a_body_that_does_not_end_is_cut_off() {
    let begun = Instant::now();
    let (place, receiver, _service) = answered(Reply::Endless);
    place.until("a", "it is told", |row| row["lag"] == 0);
    assert!(begun.elapsed() < 2 * SOON);
    place.sign(1);
    receiver.until(2);
    place.until("a", "it is told again", |row| row["lag"] == 0);
}

#[test]
fn a_server_that_does_not_answer_is_given_up_in_time() {
    let (place, _receiver, _service) = answered(Reply::Never);
    let row = place.until("a", "it fails", |row| row["failures"] == 1);
    assert!(row["reason"].as_str().unwrap().starts_with("the server did not answer within 5.3"), "{row}");
}

#[test]
fn what_is_not_http_is_a_failure() {
    let (place, receiver, _service) = answered(Reply::Status(200, "x".repeat(100_000) + ": x\r\n"));
    let row = place.until("a", "it fails", |row| row["failures"] == 1);
    assert!(row["reason"].as_str().unwrap().contains("did not answer as HTTP has it"), "{row}");
    assert_eq!(receiver.messages().len(), 1);
}
