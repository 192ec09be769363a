//! `kill -9` of the publisher and of the server, and a wire that eats messages and acknowledgements.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    random::{Random, count},
    waiting::until,
    wire::Wire,
};

use super::{each_once, out, reader, server};
use crate::{SOON, place::Place};

#[test]
fn killed_at_random_moments_the_publisher_and_nats_leave_each_signature_in_the_stream_once() {
    let (kills, server_kills) = (count("TEST_KILLS", 6), count("TEST_BROKER_KILLS", 2));
    let (server, mut random, place) = (server(), Random::new(), Place::postgres());
    let consumer = reader(&server);
    let mut publisher = place.under_load(&consumer, || {
        let mut publisher = place.publish(&out(&server, ""));
        for kill in 0..kills {
            let before = consumer.rows();
            until("signatures arrive", SOON, || consumer.rows() > before);
            random.moment(Duration::from_millis(150));
            publisher.signal(Signal::KILL);
            assert_eq!(publisher.wait(Duration::from_secs(5)), None, "killed by the signal");
            // Evenly among the kills of the publisher.
            let kills_server = kill * server_kills / kills != (kill + 1) * server_kills / kills;
            publisher = place.publish(&out(&server, ""));
            if kills_server {
                let before = consumer.rows();
                until("signatures arrive", SOON, || consumer.rows() > before);
                server.kill();
                server.restart();
            }
        }
        publisher
    });
    until("the last one is at work", SOON, || publisher.log().contains("publishing to nats:"));
    publisher.signal(Signal::TERM);
    assert_eq!(publisher.wait(SOON), Some(0), "{}", publisher.log());
    let _publisher = place.publish(&out(&server, ""));
    let records = place.records() as usize;
    place.until_published(&consumer, records);
    each_once(&consumer);
    place.ok(&["verify"]);
    println!(
        "measured: {kills} kills of the publisher, {server_kills} of NATS, {records} signatures in {} messages",
        consumer.log().bodies.len()
    );
}

/// The bytes of an acknowledgement.
const ACKNOWLEDGEMENT: usize = 30;

#[test]
fn whatever_acknowledgements_are_eaten_the_stream_has_each_signature_once() {
    let losses = count("TEST_LOSSES", 12);
    let (server, mut random, place) = (server(), Random::new(), Place::sqlite());
    let (wire, consumer) = (Wire::to(server.port()), reader(&server));
    let _publisher = place.publish(&server.stream_at(wire.port, "feed", "&subject=feed.out"));
    place.under_load(&consumer, || place.lose(&wire, ACKNOWLEDGEMENT, losses, &consumer, &mut random));
    let records = place.records() as usize;
    place.until_published(&consumer, records);
    each_once(&consumer);
    println!("measured: {losses} losses, {} messages, none came again", consumer.log().bodies.len());
}
