//! `kill -9` of the intake and of the server, under a producer that sends every fourth message twice.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    jetstream::{make_consumer, make_stream_with},
    nats::Server,
    random::{Random, count},
    waiting::{lasting, until},
};

use super::{nothing_is_doubled, orders, until_empty};
use crate::{SOON, place::Place, producer::Producer};

#[test]
fn killed_at_random_moments_the_intake_and_nats_lose_and_double_nothing() {
    let (kills, server_kills) = (count("TEST_KILLS", 6), count("TEST_BROKER_KILLS", 2));
    let (server, mut random, place) = (Server::start(), Random::new(), Place::postgres());
    // The shortest window: what the producer sends again after a kill of the server is then there twice.
    let window = Duration::from_millis(100);
    let config = async_nats::jetstream::stream::Config {
        name: "orders".to_owned(),
        duplicate_window: window,
        ..Default::default()
    };
    make_stream_with(&server.url(), config);
    make_consumer(&server.url(), "orders", Duration::from_secs(2));
    let producer = Producer::start(&server.url(), "orders", "k", place.sandbox.path(".").as_path());
    let mut intake = place.take_in(&orders(&server, "&prefetch=300"));
    for kill in 0..kills {
        let before = place.records();
        until("messages become records", SOON, || {
            lasting(Duration::from_millis(5)); // counting takes the database from the intake
            place.records() > before + 100
        });
        random.moment(Duration::from_millis(60));
        intake.signal(Signal::KILL);
        assert_eq!(intake.wait(Duration::from_secs(5)), None, "killed by the signal");
        // Evenly among the kills of the intake.
        let kills_server = kill * server_kills / kills != (kill + 1) * server_kills / kills;
        intake = place.take_in(&orders(&server, "&prefetch=300"));
        if kills_server {
            let before = place.records();
            until("messages become records", SOON, || place.records() > before);
            server.kill();
            server.restart();
        }
    }
    let confirmed = producer.finish();
    until("the records are there", SOON, || place.records() >= confirmed.len() as i64);
    assert_eq!(place.names(), confirmed, "nothing that was confirmed is lost, and nothing is there twice");
    until_empty(&server);
    nothing_is_doubled(&place, confirmed.len());
    until("the last one is at work", SOON, || intake.log().contains("taking messages from nats:"));
    intake.signal(Signal::TERM);
    assert_eq!(intake.wait(SOON), Some(0));
    place.check();
    println!("measured: {kills} kills of the intake, {server_kills} of NATS, {} messages", confirmed.len());
}
