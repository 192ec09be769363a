//! Ways to the cluster: what goes wrong is logged, and tried again.

use rustix::process::Signal;
use support::{amqp::numbered, process::Running, sandbox::failed, waiting::until};

use crate::{
    SOON,
    broker::{Broker, Sender},
    place::{Place, threads},
};

fn attempts(intake: &Running) -> usize {
    intake.log().matches("cannot take messages from kafka:").count()
}

#[test]
fn a_topic_that_does_not_exist_is_named_and_taken_from_once_it_does() {
    let (broker, place) = (Broker::empty(), Place::sqlite());
    let intake = place.take_in(&broker.source("orders", ""));
    until("it is said", SOON, || intake.log().contains("there is no topic orders: make it first"));
    until("it is tried again", SOON, || attempts(&intake) >= 2);
    broker.mock.create_topic("orders", 1, 1).unwrap();
    Sender::to(&broker.place()).send("orders", "ce_id", &numbered("m", 10));
    place.until_records(10);
    broker.until_committed("orders", 1);
    assert!(intake.log().contains("no second copy of its messages"), "{}", intake.log());
}

#[test]
fn a_cluster_that_goes_away_and_comes_back_is_taken_from_again() {
    let (broker, place) = (Broker::start("orders", 1), Place::sqlite());
    let mut intake = place.take_in(&broker.source("orders", ""));
    let sender = Sender::to(&broker.place());
    sender.send("orders", "ce_id", &numbered("first", 10));
    place.until_records(10);
    broker.until_committed("orders", 1);
    broker.go_away();
    until("it is said", SOON, || intake.log().contains("brokers are down"));
    broker.come_back();
    sender.send("orders", "ce_id", &numbered("second", 10));
    place.until_records(20);
    broker.until_committed("orders", 1);
    broker.go_away();
    intake.signal(Signal::TERM);
    assert_eq!(intake.wait(SOON), Some(0), "a stop does not wait for the cluster");
}

#[test]
fn attempts_without_end_leave_no_threads_behind() {
    let place = Place::sqlite();
    let mut intake = place.take_in("kafka://127.0.0.1:1?topic=t&group=g"); // no port that is given to a process by chance
    until("it is said", SOON, || intake.log().contains("onnection refused"));
    let mut fewest = usize::MAX;
    until("there are attempts", SOON, || {
        fewest = fewest.min(threads(&intake));
        attempts(&intake) >= 2
    });
    until("there are more of them", SOON * 2, || attempts(&intake) >= 4);
    until("no thread is left", SOON, || threads(&intake) <= fewest);
    intake.signal(Signal::TERM);
    assert_eq!(intake.wait(SOON), Some(0));
}

#[test]
fn a_wrong_address_is_refused_and_no_part_of_it_is_shown() {
    let place = Place::sqlite();
    for (wrong, words) in [
        ("kafka://u:secret@h?topic=t&group=g", "wants TLS or a login"),
        ("kafka+ssl://secret?topic=t&group=g", "wants TLS or a login"),
        ("kafka://secret?topic=t", "names no group"),
        ("kafka://secret?topic=t&group=g&ca=x", "use topic, group, id, body and without-id"),
    ] {
        let error = failed(2, &place.command(&["serve", "--intake", wrong]).output().unwrap());
        assert!(error.contains("the address of the intake"), "{error}");
        assert!(error.replace('\n', " ").contains(words) && !error.contains("secret"), "{error}");
    }
}
