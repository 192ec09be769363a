//! `kill -9` between the COMMIT and the acknowledgement, behind a wire that swallows acknowledgements back.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use support::{api::Api, waiting::lasting, waiting::until};

use crate::{
    OneBroker, SOON,
    client::{declare, numbered, publish},
    place::Place,
};

/// What a client sends never arrives once this is told so, and its connection stays open as long as the client lives. What the
/// broker sends goes on.
struct Wire {
    port: u16,
    swallows: Arc<AtomicBool>,
}

impl Wire {
    fn to(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self { port: listener.local_addr().unwrap().port(), swallows: Arc::default() };
        let swallows = Arc::clone(&wire.swallows);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", broker)).unwrap());
                let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let swallows = Arc::clone(&swallows);
                thread::spawn(move || pump(back, forth, &AtomicBool::new(false)));
                thread::spawn(move || pump(client, server, &swallows));
            }
        });
        wire
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, swallows: &AtomicBool) {
    let mut buffer = [0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !swallows.load(SeqCst) && to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both); // the other side may have done it
}

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
        lasting(Duration::from_millis(700)); // the broker's counts are half a second old
        let (ready, unacknowledged) = broker.counts(queue);
        assert_eq!(ready + unacknowledged, 501, "stored, but not acknowledged");
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
