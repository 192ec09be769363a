//! `kill -9` between the COMMIT of the database and that of the offsets, which the broker answers by hanging up.

use std::time::Duration;

use rdkafka::types::RDKafkaApiKey::OffsetCommit;
use rustix::process::Signal;
use support::{amqp::numbered, waiting::until};

use crate::{
    SOON,
    broker::{Broker, HANGS_UP, Sender},
    place::Place,
};

#[test]
fn killed_between_the_commit_and_the_acknowledgement_the_messages_come_again_and_change_nothing() {
    for place in [Place::sqlite(), Place::postgres()] {
        let (broker, topic) = (Broker::start("orders", 2), "orders");
        let sender = Sender::to(&broker.place());
        let mut intake = place.take_in(&broker.source(topic, ""));
        sender.send(topic, "ce_id", &numbered("before", 50));
        place.until_records(50);
        broker.until_committed(topic, 2);
        broker.mock.request_errors(OffsetCommit, &[HANGS_UP; 1000]);
        sender.send(topic, "ce_id", &numbered("between", 150));
        sender.send(topic, "ce_id", &[(None, b"nameless".to_vec())]);
        // A chunk, whatever has arrived by then.
        until("some are stored", SOON, || place.records() > 50);
        intake.signal(Signal::KILL);
        assert_eq!(intake.wait(Duration::from_secs(5)), None, "killed by the signal");
        let stored = place.records() - 50;
        broker.mock.clear_request_errors(OffsetCommit);
        let again = place.take_in_and_answer(&broker.source(topic, ""));
        broker.until_committed(topic, 2);
        let metrics = again.admin()("/metrics");
        let repeated =
            metrics.lines().find_map(|line| line.strip_prefix("signwave_intake_repeated_total ")).unwrap();
        assert_eq!(repeated.parse::<f64>().unwrap(), stored as f64, "exactly these come again: {metrics}");
        assert_eq!((place.records(), place.refused().len()), (200, 1), "nothing is there twice");
        drop(again);
        place.check();
    }
}
