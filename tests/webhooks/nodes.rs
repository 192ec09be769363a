//! Several nodes: one of them sends at a time.

use std::{collections::BTreeMap, time::Duration};

use rustix::process::Signal;
use support::{process::Running, waiting::lasting};

use crate::{
    SOON,
    place::Place,
    receiver::{Receiver, Reply},
};

#[test]
fn two_nodes_never_send_at_a_time_and_miss_nothing() {
    let (place, receiver) = (Place::postgres(), Receiver::replying(Reply::After(Duration::from_millis(50))));
    place.add("a", &receiver.url("/"));
    let mut services = [place.serve(), place.serve()];
    for _ in 0..15 {
        place.add_records(3);
    }
    place.sign(1);
    place.until("a", "it is told", |row| row["lag"] == 0);
    services[0].signal(Signal::KILL);
    services[0].wait(SOON);
    place.sign(5);
    place.until("a", "it is told by the other", |row| row["lag"] == 0);
    let messages = receiver.messages();
    assert_eq!(receiver.most_at_once(), 1);
    let places: Vec<_> = messages.iter().map(|message| message.place()).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(places.last(), Some(&place.last()));
    let bodies: BTreeMap<_, _> = messages.iter().map(|message| (message.id(), &message.body)).collect();
    assert!(messages.iter().all(|message| bodies[message.id()] == &message.body), "an id is one message");
    assert!(messages.len() < 51, "{} messages told of 51 batches", messages.len());
    println!("measured: {} messages told of 51 batches", messages.len());
}

#[test]
fn a_node_without_a_master_key_leaves_webhooks_to_others() {
    let (place, receiver) = (Place::sqlite(), Receiver::new());
    place.add("a", &receiver.url("/"));
    let mut emits = place.command(&["serve", "--listen", "none", "--roles", "emit", "--batch-size", "1"]);
    emits.env_remove("SIGNWAVE_MASTER_KEY_FILE");
    let _emits = Running::start(emits, place.log());
    place.add_records(1);
    place.ok(&["sign"]);
    lasting(Duration::from_millis(2_500)); // it would have looked twice
    assert_eq!((place.last(), receiver.messages().len()), (1, 0));
    let _signs = place.serve();
    assert_eq!(receiver.until(1).place(), 1);
}
