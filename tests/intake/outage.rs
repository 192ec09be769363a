//! A database that is away for longer than the broker waits for acknowledgements.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    postgres::{Cluster, Stop},
    rabbitmq::PATIENCE,
    random::count,
    waiting::{lasting, until},
};

use crate::{OneBroker, SOON, client, place::Place, producer::Producer};

#[test]
fn a_database_that_is_away_longer_than_the_brokers_patience_loses_nothing() {
    let away = Duration::from_secs(count("TEST_AWAY_SECONDS", 14) as u64);
    assert!(away > PATIENCE, "otherwise this proves nothing");
    let (broker, cluster, queue) = (OneBroker::take(), Cluster::start_with("fsync = off"), "outage");
    let place = Place::on(&cluster);
    client::declare(&broker.url(), queue);
    let producer = Producer::start(&broker.url(), queue, "o", place.sandbox.path(".").as_path());
    let mut intake = place.take_in(&broker.queue(queue, ""));
    until("messages become records", SOON, || place.records() > 200);
    let logged = broker.log().len();
    cluster.stop(Stop::Immediate);
    lasting(away);
    until("the broker's patience is over", SOON, || {
        let log = &broker.log()[logged..];
        log.contains("timed out waiting for delivery acknowledgement") || log.contains("Timeout value used")
    });
    cluster.restart();
    let before = place.records();
    until("the intake goes on by itself", SOON, || place.records() > before + 200);
    let confirmed = producer.finish();
    place.until_records(confirmed.len());
    assert_eq!(place.names(), confirmed, "nothing that was confirmed is lost, and nothing is there twice");
    place.until_empty(&broker, queue);
    assert_eq!(place.refused(), []);
    assert!(intake.is_running(), "{}", intake.log());
    intake.signal(Signal::TERM);
    assert_eq!(intake.wait(SOON), Some(0));
    println!("measured: {away:?} away, {} messages", confirmed.len());
}
