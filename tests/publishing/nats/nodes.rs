//! Several nodes: what a node sends whose claim is over is refused by the stream, unless it is what comes next.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use rustix::process::Signal;
use support::{
    waiting::{lasting, until},
    wire::Wire,
};

use super::{each_once, out, reader, server};
use crate::{
    SOON,
    nodes::{one_stands_by, state},
    place::Place,
};

#[test]
fn a_node_that_slept_past_its_claim_adds_nothing_twice_to_the_stream() {
    let (server, place) = (server(), Place::postgres());
    let (to, consumer) = (out(&server, ""), reader(&server));
    let services = [place.publish_and_answer(&to), place.publish_and_answer(&to)];
    place.under_load(&consumer, || {
        for _ in 0..3 {
            let before = consumer.rows();
            until("signatures arrive", SOON, || consumer.rows() > before + 100);
            let mut asleep = None;
            until("one publishes", SOON, || {
                asleep = services.iter().find(|service| state(&place, service) == "publishing");
                asleep.is_some()
            });
            let asleep = asleep.unwrap();
            asleep.service.pause();
            let other = services.iter().find(|service| !std::ptr::eq(*service, asleep)).unwrap();
            until("the other one goes on", SOON, || state(&place, other) == "publishing");
            let before = consumer.rows();
            until("signatures arrive", SOON, || consumer.rows() > before + 100);
            asleep.service.signal(Signal::CONT);
            until("one stands by", SOON, || one_stands_by(&place, &services));
            lasting(Duration::from_millis(200));
        }
    });
    let records = place.records() as usize;
    place.until_published(&consumer, records);
    each_once(&consumer);
    println!("measured: 3 pauses, {} messages, none came again", consumer.log().bodies.len());
}

#[test]
fn a_message_that_arrives_when_another_node_has_sent_it_is_refused_by_the_stream() {
    let (server, place) = (server(), Place::sqlite());
    let (wire, consumer) = (Wire::to(server.port()), reader(&server));
    let slow = server.stream_at(wire.port, "feed", "&subject=feed.out&name=all");
    let mut first = place.publish(&slow);
    place.seed(100);
    place.until_published(&consumer, 100);
    wire.holds.store(true, SeqCst);
    let before = wire.swallowed.load(SeqCst);
    place.seed(120);
    until("a message is on its way", SOON, || wire.swallowed.load(SeqCst) > before + 1000);
    first.signal(Signal::KILL);
    first.wait(SOON);
    let _second = place.publish(&out(&server, "&name=all"));
    place.until_published(&consumer, 120);
    lasting(Duration::from_millis(300)); // the server has forgotten the id
    wire.holds.store(false, SeqCst);
    lasting(Duration::from_millis(300)); // it arrives
    place.seed(140);
    place.until_published(&consumer, 140);
    each_once(&consumer);
}
