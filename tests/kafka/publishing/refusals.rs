//! Topics that take nothing, and a cluster that is away.

use rdkafka::{bindings::rd_kafka_resp_err_t as code, types::RDKafkaApiKey::Produce};
use rustix::process::Signal;
use support::{sandbox::failed, waiting::until};

use crate::{SOON, broker::Broker, place::Place, reader::Reader};

#[test]
fn a_topic_that_does_not_exist_is_named_not_made_and_published_to_once_it_is_there() {
    let (broker, place) = (Broker::empty(), Place::sqlite());
    place.seed(100);
    let publisher = place.publish(&broker.destination("feed", ""));
    let said = || publisher.log().matches("there is no topic feed: make it first").count();
    until("it is said, and tried again", SOON, || said() >= 2);
    broker.mock.create_topic("feed", 1, 1).unwrap();
    place.until_published(&Reader::of(&broker.place(), "feed"), 100);
}

#[test]
fn what_the_broker_refuses_is_said_and_sent_again_without_a_gap() {
    let (broker, place) = (Broker::start("feed", 1), Place::sqlite());
    let api = place.publish_and_answer(&broker.destination("feed", ""));
    let reader = Reader::of(&broker.place(), "feed");
    for (error, words) in [
        (code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed"),
        (code::RD_KAFKA_RESP_ERR_INVALID_RECORD, "make one with the cleanup policy 'delete'"),
    ] {
        let rows = reader.log().rows.len();
        broker.mock.request_errors(Produce, &[error; 3]);
        place.seed(rows + 200);
        until("it is said", SOON, || api.service.log().contains(words));
        place.until_published(&reader, rows + 200);
    }
}

#[test]
fn a_cluster_that_goes_away_and_comes_back_gets_the_rest() {
    let (broker, place) = (Broker::start("feed", 1), Place::sqlite());
    let mut api = place.publish_and_answer(&broker.destination("feed", ""));
    let reader = Reader::of(&broker.place(), "feed");
    place.seed(200);
    place.until_published(&reader, 200);
    broker.go_away();
    place.seed(400);
    until("the status says so", SOON, || place.status(&api)["state"] == "disconnected");
    broker.come_back();
    place.until_published(&reader, 400);
    until("the status says so", SOON, || place.status(&api)["state"] == "publishing");
    broker.go_away();
    place.seed(500);
    api.service.signal(Signal::TERM);
    assert_eq!(api.service.wait(SOON), Some(0), "a stop does not wait for the cluster");
    broker.come_back();
    let _second = place.publish(&broker.destination("feed", ""));
    place.until_published(&reader, 500);
}

#[test]
fn a_wrong_address_is_refused_and_no_part_of_it_is_shown() {
    let place = Place::sqlite();
    for (wrong, words) in [
        ("kafka://u:secret@h?topic=t", "wants TLS or a login"),
        ("kafka://secret", "names no topic"),
        ("kafka://secret?topic=t&group=g", "use topic, from and name"),
    ] {
        let error = failed(2, &place.command(&["serve", "--publish", wrong]).output().unwrap());
        assert!(error.contains("the address of a publisher"), "{error}");
        assert!(error.replace('\n', " ").contains(words) && !error.contains("secret"), "{error}");
    }
}
