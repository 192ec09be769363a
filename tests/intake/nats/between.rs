//! `kill -9` between the COMMIT and the acknowledgement, behind a wire that swallows acknowledgements.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use rustix::process::Signal;
use support::{
    amqp::numbered,
    jetstream::{counts, publish},
    waiting::until,
    wire::Wire,
};

use super::{orders, server, until_empty};
use crate::{SOON, place::Place};

#[test]
fn killed_between_the_commit_and_the_acknowledgement_the_messages_come_again_and_change_nothing() {
    let (server, place) = (server(Duration::from_secs(1)), Place::sqlite());
    let wire = Wire::to(server.port());
    let to_wire = server.stream_at(wire.port, "orders", "&consumer=intake");
    let mut intake = place.take_in(&to_wire);
    publish(&server.url(), "orders", &numbered("before", 50));
    place.until_records(50);
    until_empty(&server);
    wire.swallows.store(true, SeqCst);
    publish(&server.url(), "orders", &numbered("between", 150));
    publish(&server.url(), "orders", &[(None, b"nameless".to_vec())]);
    // A chunk, whatever has arrived by then: the next one waits for the acknowledgement.
    until("some are stored", SOON, || place.records() > 50);
    let (waiting, unacknowledged) = counts(&server.url(), "orders");
    assert_eq!(waiting + unacknowledged, 151, "stored, but not acknowledged");
    intake.signal(Signal::KILL);
    assert_eq!(intake.wait(Duration::from_secs(5)), None, "killed by the signal");
    let stored = place.records() - 50;
    let again = place.take_in_and_answer(&orders(&server, ""));
    until_empty(&server);
    let metrics = again.admin()("/metrics");
    let repeated =
        metrics.lines().find_map(|line| line.strip_prefix("signwave_intake_repeated_total ")).unwrap();
    assert!(repeated.parse::<f64>().unwrap() >= stored as f64, "all of them come again: {metrics}");
    assert_eq!((place.records(), place.refused().len()), (200, 1), "nothing is there twice");
    drop(again);
    place.check();
}
