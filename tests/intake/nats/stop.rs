//! A stop: what is stored is acknowledged, and the rest goes back at once.

use std::time::Duration;

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use rustix::process::Signal;
use support::{
    amqp::numbered,
    jetstream::{counts, publish},
    random::Random,
    waiting::{lasting, until},
};

use super::{nothing_is_doubled, orders, server, until_empty};
use crate::{SOON, place::Place};

/// How long the server would wait before it hands out again what nobody acknowledges: longer than these tests wait.
const NEVER: Duration = Duration::from_secs(600);

#[test]
fn a_stop_acknowledges_what_is_stored_and_gives_the_rest_back_at_once() {
    const MESSAGES: usize = 6000;
    let (server, place) = (server(NEVER), Place::sqlite());
    publish(&server.url(), "orders", &numbered("s", MESSAGES));
    let mut intake = place.take_in(&orders(&server, "&prefetch=100"));
    until("some are records", SOON, || place.records() > 0);
    Random::new().moment(Duration::from_millis(50));
    intake.signal(Signal::TERM);
    assert_eq!(intake.wait(SOON), Some(0), "{}", intake.log());
    let (waiting, unacknowledged) = counts(&server.url(), "orders");
    assert_eq!(place.records() as u64 + waiting + unacknowledged, MESSAGES as u64);
    println!("measured: stopped after {} of {MESSAGES} messages", place.records());
    let _second = place.take_in(&orders(&server, ""));
    place.until_records(MESSAGES);
    until_empty(&server);
    nothing_is_doubled(&place, MESSAGES);
}

#[test]
fn no_more_messages_are_on_their_way_than_the_prefetch_allows_and_they_go_back_when_the_database_is_away() {
    let (server, place) = (server(NEVER), Place::sqlite());
    let mut intake = place.take_in(&orders(&server, "&prefetch=30"));
    publish(&server.url(), "orders", &numbered("first", 1));
    place.until_records(1);
    // Nothing is stored for a while, so that the intake can only gather.
    let path = place.sandbox.path("signwave.db");
    let mut writer = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    writer.batch_execute("PRAGMA busy_timeout = 60000; BEGIN IMMEDIATE").unwrap();
    publish(&server.url(), "orders", &numbered("p", 1000));
    until("some are on their way", SOON, || counts(&server.url(), "orders").1 > 0);
    lasting(Duration::from_millis(500));
    let (waiting, under_way) = counts(&server.url(), "orders");
    assert!(under_way <= 60, "{under_way} messages are under way, and {waiting} wait");
    intake.signal(Signal::TERM);
    drop(writer);
    assert_eq!(intake.wait(SOON), Some(0), "{}", intake.log());
    let _second = place.take_in(&orders(&server, ""));
    place.until_records(1001);
    until_empty(&server);
}
