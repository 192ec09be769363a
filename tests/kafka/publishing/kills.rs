//! `kill -9` of the publisher, and a broker that fails.

use std::time::Duration;

use rdkafka::{
    bindings::rd_kafka_resp_err_t::{self as code},
    types::RDKafkaApiKey::Produce,
};
use rustix::process::Signal;
use support::{
    random::{Random, count},
    waiting::until,
};

use crate::{SOON, broker::Broker, place::Place, reader::Reader};

/// What a broker may answer. After the last ones the producer gives up what it has.
const ERRORS: [code; 6] = [
    code::RD_KAFKA_RESP_ERR__TRANSPORT,
    code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
    code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
];

#[test]
fn killed_at_random_moments_and_refused_the_publisher_leaves_each_signature_in_the_topic_in_order() {
    let kills = count("TEST_KILLS", 6);
    let (broker, place, mut random) = (Broker::start("feed", 1), Place::postgres(), Random::new());
    let (to, reader) = (broker.destination("feed", ""), Reader::of(&broker.place(), "feed"));
    let rows = || reader.log().rows.len();
    let mut publisher = place.under_load(&reader, || {
        let mut publisher = place.publish(&to);
        for kill in 0..kills {
            let before = rows();
            until("signatures arrive", SOON, || rows() > before);
            broker.mock.request_errors(Produce, &[ERRORS[kill % ERRORS.len()]]);
            let before = rows();
            until("signatures arrive", SOON, || rows() > before);
            random.moment(Duration::from_millis(150));
            publisher.signal(Signal::KILL);
            assert_eq!(publisher.wait(Duration::from_secs(5)), None, "killed by the signal");
            publisher = place.publish(&to);
        }
        publisher
    });
    let records = place.records() as usize;
    place.until_published(&reader, records);
    publisher.signal(Signal::TERM);
    assert_eq!(publisher.wait(SOON), Some(0), "{}", publisher.log());
    place.ok(&["verify"]);
    let repeated = reader.log().repeated;
    println!("measured: {kills} kills, {records} signatures, {repeated} messages came again");
}
