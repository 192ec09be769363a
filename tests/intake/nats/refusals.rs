//! Streams and consumers that would lose messages, and messages that can never become records.

use std::time::Duration;

use async_nats::jetstream::{
    consumer::{AckPolicy, pull::Config},
    stream::{self, StorageType},
};
use rustix::process::Signal;
use support::{
    amqp::numbered,
    jetstream::{make_consumer_with, make_stream, make_stream_with, publish},
    nats::Server,
    waiting::until,
};

use super::{orders, server, until_empty};
use crate::{SOON, place::Place};

#[test]
fn what_would_lose_messages_is_refused_with_the_reason_and_taken_from_once_it_is_mended() {
    let (server, place) = (Server::start(), Place::sqlite());
    let url = server.url();
    make_stream(&url, "files");
    let memory =
        stream::Config { name: "memory".to_owned(), storage: StorageType::Memory, ..Default::default() };
    make_stream_with(&url, memory);
    let limited = Config { max_deliver: 5, ..Config::default() };
    let all = Config { ack_policy: AckPolicy::All, ..Config::default() };
    let headers = Config { headers_only: true, ..Config::default() };
    for (stream, name, config) in [
        ("memory", "intake", Config::default()),
        ("files", "limited", limited),
        ("files", "all", all),
        ("files", "headers", headers),
    ] {
        make_consumer_with(&url, stream, name, config);
    }
    publish(&url, "files", &numbered("f", 10));
    publish(&url, "memory", &numbered("m", 10));
    let mut refused: Vec<_> = [
        ("memory", "intake", "the stream memory is in memory: make one with the storage 'file'"),
        ("files", "limited", "the consumer limited has a limit of deliveries"),
        ("files", "all", "the consumer all must have the acknowledgement policy 'explicit'"),
        ("files", "headers", "the consumer headers leaves out the bodies"),
        ("nowhere", "intake", "stream not found"),
        ("files", "later", "consumer not found"),
    ]
    .map(|(stream, consumer, words)| {
        (place.take_in(&server.stream(stream, &format!("&consumer={consumer}"))), words)
    })
    .into();
    for (intake, words) in &refused {
        let attempts = || intake.log().matches("cannot take messages from nats:").count();
        until(words, SOON, || intake.log().contains(words));
        until("it is tried again", SOON, || attempts() >= 2);
    }
    assert_eq!(place.records(), 0, "nothing is taken from there");
    make_consumer_with(&url, "files", "later", Config::default());
    place.until_records(10);
    for (intake, _) in &mut refused {
        intake.signal(Signal::TERM);
        assert_eq!(intake.wait(SOON), Some(0));
    }
}

#[test]
fn what_can_never_become_a_record_is_kept_apart_and_holds_up_nothing() {
    let (server, place) = (server(Duration::from_secs(60)), Place::sqlite());
    let url = server.url();
    publish(&url, "orders", &[(None, b"nameless".to_vec()), (Some(String::new()), b"no name".to_vec())]);
    publish(&url, "orders", &numbered("good", 20));
    // The shortest window in which the server stores no other message of the same id.
    let window = stream::Config {
        name: "orders".to_owned(),
        subjects: vec!["orders.>".to_owned()],
        duplicate_window: Duration::from_millis(100),
        ..Default::default()
    };
    support::jetstream::run(&url, async |context| Ok(context.update_stream(window).await.map(drop)?))
        .unwrap();
    until("the server has forgotten the id", SOON, || {
        publish(&url, "orders", &[(Some("good-3".to_owned()), b"another payload".to_vec())]);
        support::jetstream::counts(&url, "orders").0 > 22
    });
    let _intake = place.take_in(&orders(&server, ""));
    until_empty(&server);
    place.until_records(20);
    let mut reasons: Vec<_> = place.refused().into_iter().map(|(_, reason)| reason).collect();
    reasons.sort();
    assert_eq!(reasons, ["bad-external-id", "conflict", "no-external-id"]);
    assert!(place.ok(&["refused", "list", "--json"]).contains(r#""source":"nats:orders""#));
    place.check();
}
