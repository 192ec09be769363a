//! Several nodes: one of them publishes to a destination at a time.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    amqp::declare,
    api::Api,
    rabbitmq::OneBroker,
    waiting::{lasting, until},
};

use crate::{SOON, consumer::Consumer, place::Place};

/// What a publisher is at.
pub fn state(place: &Place<'_>, api: &Api) -> String {
    place.status(api)["state"].as_str().unwrap().to_owned()
}

/// Whether one publishes and the other has seen that. Which one it is may change when the machine stands still.
pub fn one_stands_by(place: &Place<'_>, services: &[Api; 2]) -> bool {
    let mut states = services.each_ref().map(|service| state(place, service));
    states.sort();
    states == ["publishing", "standby"]
}

#[test]
fn one_node_publishes_and_another_goes_on_when_it_is_killed_or_stopped() {
    let (broker, queue, place) = (OneBroker::take(), "nodes", Place::postgres());
    declare(&broker.url(), queue);
    let (to, consumer) = (broker.queue(queue, ""), Consumer::start(&broker.url(), queue));
    let mut first = place.publish_holding("5s", &to);
    until("it publishes", SOON, || state(&place, &first) == "publishing");
    let mut second = place.publish_and_answer(&to);
    until("it stands by", SOON, || state(&place, &second) == "standby");
    assert!(place.status(&second)["down_seconds"].is_null(), "nothing is wrong with that");
    place.seed(200);
    place.until_published(&consumer, 200);
    assert_eq!(place.status(&second)["messages"], 0);
    first.service.signal(Signal::KILL);
    first.service.wait(SOON);
    place.seed(400);
    // When the claim is over, and the other node looks.
    until("the other one goes on", Duration::from_secs(10), || state(&place, &second) == "publishing");
    place.until_published(&consumer, 400);
    let third = place.publish_and_answer(&to);
    until("it stands by", SOON, || state(&place, &third) == "standby");
    second.service.signal(Signal::TERM);
    assert_eq!(second.service.wait(SOON), Some(0));
    until("a stop gives it back", Duration::from_secs(10), || state(&place, &third) == "publishing");
    place.seed(500);
    place.until_published(&consumer, 500);
    assert_eq!(consumer.log().early, 0);
}

#[test]
fn a_node_that_slept_past_its_claim_moves_nothing_back() {
    let (broker, queue, place) = (OneBroker::take(), "asleep", Place::postgres());
    declare(&broker.url(), queue);
    let (to, consumer) = (broker.queue(queue, ""), Consumer::start(&broker.url(), queue));
    let services = [place.publish_and_answer(&to), place.publish_and_answer(&to)];
    let position = || place.number("SELECT coalesce(max(position), 0) FROM outlet");
    let mut reached = 0;
    place.under_load(&consumer, || {
        for _ in 0..6 {
            let before = consumer.rows();
            until("signatures arrive", SOON, || consumer.rows() > before + 100);
            let publishing = |service: &&Api| state(&place, service) == "publishing";
            let mut asleep = None;
            until("one publishes", SOON, || {
                asleep = services.iter().find(publishing);
                asleep.is_some()
            });
            let asleep = asleep.unwrap();
            asleep.service.pause();
            let other = services.iter().find(|service| !std::ptr::eq(*service, asleep)).unwrap();
            until("the other one goes on", SOON, || state(&place, other) == "publishing");
            let before = consumer.rows();
            until("signatures arrive", SOON, || consumer.rows() > before + 100);
            asleep.service.signal(Signal::CONT);
            until("one stands by", SOON, || {
                let now = position();
                assert!(now >= reached, "from {reached} back to {now}");
                reached = now;
                one_stands_by(&place, &services)
            });
            lasting(Duration::from_millis(200));
        }
    });
    let records = place.records() as usize;
    place.until_published(&consumer, records);
    let log = consumer.log();
    assert_eq!(log.early, 0, "what came late was a repetition");
    println!("measured: 6 pauses, {} messages, {} came again", log.bodies.len(), log.repeated);
}
