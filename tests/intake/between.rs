//! `kill -9` between the COMMIT and the acknowledgement, behind a wire that swallows acknowledgements back.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use rustix::process::Signal;
use support::{api::Api, waiting::lasting, waiting::until, wire::Wire};

use crate::{
    OneBroker, SOON,
    client::{declare, numbered, publish},
    place::Place,
};

#[test]
fn killed_between_the_commit_and_the_acknowledgement_the_messages_come_again_and_change_nothing() {
    let (broker, queue) = (OneBroker::take(), "between");
    declare(&broker.url(), queue);
    for place in [Place::sqlite(), Place::postgres()] {
        let wire = Wire::to(broker.port());
        let mut intake = place.take_in(&broker.queue_at(wire.port, queue, ""));
        publish(&broker.url(), queue, &numbered("before", 50));
        place.until_records(50);
        place.until_empty(&broker, queue);
        wire.swallows.store(true, SeqCst);
        publish(&broker.url(), queue, &numbered("between", 500));
        publish(&broker.url(), queue, &[(None, b"nameless".to_vec())]);
        place.until_records(550);
        until("the refusal is stored", SOON, || place.refused().len() == 1);
        let count = || {
            let (ready, unacknowledged) = broker.counts(queue);
            ready + unacknowledged
        };
        until("the broker has counted", SOON, || count() == 501);
        lasting(Duration::from_millis(700)); // its counts are half a second old
        assert_eq!(count(), 501, "stored, but not acknowledged");
        intake.signal(Signal::KILL);
        assert_eq!(intake.wait(Duration::from_secs(5)), None, "killed by the signal");
        let second = place.take_in_and_answer(&broker.queue(queue, ""));
        place.until_empty(&broker, queue);
        let seen = numbers(&second);
        assert_eq!((place.records(), place.refused().len()), (550, 1), "nothing is there twice: {seen:?}");
        assert!(seen.0 >= 500 && seen.1 >= 1, "all of them come again: {seen:?}");
        assert_eq!(seen.2, 0, "no record is new");
        drop(second);
        place.check();
    }
}

/// What the second process has seen: repeated, refused, and new messages.
fn numbers(api: &Api) -> (u64, u64, u64) {
    let metrics = api.admin()("/metrics");
    let value = |name: &str| -> u64 {
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() as u64).sum()
    };
    (
        value("signwave_intake_repeated_total"),
        value("signwave_intake_refused_total"),
        value("signwave_intake_records_total"),
    )
}
