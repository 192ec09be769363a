//! A stop under load: waits and streams end first, and every record that was taken has its answer.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::channel,
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use support::{
    random::{Random, count},
    waiting::until,
};

use crate::{
    client::{Exchange, post},
    place::{Place, address},
};

/// How long a stop may take: nothing is being signed, so there is no batch to finish.
const STOP: Duration = Duration::from_secs(5);

#[test]
fn stopped_under_load_no_record_that_was_taken_is_without_its_answer() {
    let stops = count("TEST_STOPS", 4);
    let mut random = Random::new();
    for place in Place::of_each_kind() {
        let (mut answered, mut times) = (BTreeSet::new(), Vec::new());
        for round in 0..stops.div_ceil(2) {
            let (names, took) = stop_once(&place, round, &mut random);
            answered.extend(names);
            times.push(took);
            let stored: BTreeSet<_> = place.names().into_keys().collect();
            let lost: Vec<_> = stored.difference(&answered).collect();
            assert!(lost.is_empty(), "round {round}: stored without an answer: {lost:?}");
            assert!(answered.is_subset(&stored), "round {round}: answered and not stored");
        }
        println!("measured: {stops} stops, {} records answered, {times:?}", answered.len());
        // While the machine stands still, nothing ends.
        assert!(times.iter().min().unwrap() < &STOP, "{times:?}");
    }
}

/// Sends records from many clients, stops the service in the middle, and returns the names that were answered, and how
/// long the stop took.
fn stop_once(place: &Place, round: usize, random: &mut Random) -> (BTreeSet<String>, Duration) {
    let mut api = place.serve(&["--roles", "emit"]);
    let (to, submit, read) = (address(&api), place.token("submit"), place.token("read"));
    let (answered, over) = (Mutex::new(BTreeSet::new()), AtomicBool::new(false));
    let took = thread::scope(|scope| {
        let (submit, read, answered, over) = (&submit, &read, &answered, &over);
        let (open, opened) = channel();
        for client in 0..16 {
            scope.spawn(move || {
                for number in 0.. {
                    let name = format!("{round} {client} {number}");
                    if over.load(SeqCst) || send(to, submit, &name, &[]).is_none() {
                        return;
                    }
                    answered.lock().unwrap().insert(name);
                }
            });
        }
        let waiting = scope.spawn(move || {
            let name = format!("{round} waits");
            (send(to, submit, &name, &[("prefer", "wait=30")]), name)
        });
        let events = scope.spawn(move || {
            let request =
                format!("GET /v1/events HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {read}\r\n\r\n");
            let mut exchange = Exchange::connect(to).unwrap();
            exchange.send(request.as_bytes()).unwrap();
            let answer = exchange.answer().unwrap();
            open.send(()).unwrap();
            answer.text()
        });
        until("the clients are at work", Duration::from_secs(60), || answered.lock().unwrap().len() > 100);
        opened.recv().unwrap();
        let waits = format!("SELECT count(*) FROM record WHERE external_id = '{round} waits'");
        until("the wait has begun", Duration::from_secs(60), || place.number(&waits) == 1);
        random.moment(Duration::from_millis(300));
        let began = Instant::now();
        api.service.signal(Signal::TERM);
        let (status, name) = waiting.join().unwrap();
        assert_eq!(status, Some(202), "a wait is answered without the signature");
        answered.lock().unwrap().insert(name);
        drop(events.join().unwrap()); // it ends, whether in order or cut off
        assert_eq!(api.service.wait(STOP), Some(0), "round {round}");
        let took = began.elapsed();
        over.store(true, SeqCst);
        took
    });
    (answered.into_inner().unwrap(), took)
}

/// Sends a record. Returns the status if the record was taken, and nothing if there was no answer or a refusal.
fn send(to: SocketAddr, token: &str, name: &str, headers: &[(&str, &str)]) -> Option<u16> {
    let body = format!("{{\"external_id\":\"{name}\",\"payload\":\"{name}\"}}");
    let headers = [&[("content-type", "application/json")], headers].concat();
    let answer = post(to, token, "/v1/records", &headers, body.as_bytes()).ok()?;
    let status = answer.status;
    let text = answer.text().ok()?;
    assert!((200..300).contains(&status) || status == 503, "{status}: {text}");
    (200..300).contains(&status).then_some(status)
}
