//! Several processes of one group.

use rustix::process::Signal;
use support::{amqp::numbered, waiting::until};

use crate::{
    SOON,
    broker::{Broker, Sender},
    place::Place,
};

#[test]
fn processes_share_the_partitions_and_one_that_ends_leaves_its_own_to_the_other() {
    let (broker, place) = (Broker::start("orders", 4), Place::postgres());
    let (from, sender) = (broker.source("orders", ""), Sender::to(&broker.place()));
    let mut first = place.take_in_and_answer(&from);
    sender.send("orders", "ce_id", &numbered("a", 200));
    place.until_records(200);
    let second = place.take_in_and_answer(&from);
    let (mut sent, taken) = (200, |metrics: String| {
        let line = metrics.lines().find(|line| line.starts_with("signwave_intake_records_total")).unwrap();
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    });
    until("the second one has got some", SOON, || {
        sender.send("orders", "ce_id", &numbered(&format!("b{sent}"), 100));
        sent += 100;
        place.until_records(sent);
        taken(second.admin()("/metrics")) > 0.0
    });
    first.service.signal(Signal::TERM);
    assert_eq!(first.service.wait(SOON), Some(0), "{}", first.service.log());
    sender.send("orders", "ce_id", &numbered("c", 200));
    place.until_records(sent + 200);
    broker.until_committed("orders", 4);
    assert_eq!(place.refused(), []);
    drop(second);
    place.check();
}
