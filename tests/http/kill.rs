//! `kill -9` of the service, and a network that loses answers, under clients that send each record until they get a 2xx.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use support::{
    api::Api,
    postgres::Cluster,
    proxy::{Loss, Proxy},
    random::{Random, count},
};

use crate::{
    client::post,
    place::{Place, address},
};

/// What the clients were promised.
#[derive(Default)]
struct Promised {
    /// The id of each record that was answered by itself.
    ids: Mutex<BTreeMap<String, i64>>,
    /// The names of all records that were answered in any way.
    names: Mutex<Vec<String>>,
    /// Requests that had no answer, or one that says to send again.
    retries: AtomicUsize,
    stops: AtomicBool,
}

#[test]
fn killed_under_single_and_bulk_clients_nothing_that_was_answered_is_lost_or_doubled() {
    let kills = count("TEST_KILLS", 6);
    for place in Place::of_each_kind() {
        torment(&place, 1, kills.div_ceil(2), kill_any);
    }
}

#[test]
fn killed_one_by_one_under_clients_three_nodes_lose_and_double_nothing() {
    torment(&Place::postgres(), 3, count("TEST_KILLS", 3), kill_any);
}

#[test]
fn behind_a_network_that_loses_answers_nothing_that_was_answered_is_lost_or_doubled() {
    let proxy = Proxy::to(Cluster::shared().port());
    let place = Place::postgres().through(&proxy);
    torment(&place, 1, count("TEST_LOSSES", 10), |_, _, random| {
        let loss = if random.below(2) == 0 { Loss::Answer } else { Loss::Request };
        proxy.lose(loss, 1 + random.below(4) as usize, "");
    });
    let (requests, answers) = proxy.lost();
    assert!(requests + answers > 0, "no COMMIT was lost: this proves nothing");
    println!("measured: {requests} COMMITs and {answers} answers lost");
}

/// Kills one of the nodes, and starts another in its place.
fn kill_any(place: &Place, nodes: &mut [Api], random: &mut Random) {
    let node = &mut nodes[random.below(nodes.len() as u64) as usize];
    let place_of_it = address(node).to_string();
    node.service.signal(Signal::KILL);
    assert_eq!(node.service.wait(Duration::from_secs(5)), None, "killed by the signal");
    *node = place.serve_at(&place_of_it, &SERVE);
}

const SERVE: [&str; 2] = ["--batch-size", "20"];

fn torment(
    place: &Place,
    nodes: usize,
    rounds: usize,
    mut harm: impl FnMut(&Place, &mut [Api], &mut Random),
) {
    let (mut random, promised) = (Random::new(), Promised::default());
    let mut nodes: Vec<_> = (0..nodes).map(|_| place.serve(&SERVE)).collect();
    let (to, token) = (nodes.iter().map(address).collect::<Vec<_>>(), place.token("submit"));
    thread::scope(|scope| {
        for client in 0..4 {
            let (promised, token, to) = (&promised, &token, &to);
            scope.spawn(move || single(client, to, token, promised));
        }
        for client in 0..2 {
            let (promised, token, to) = (&promised, &token, &to);
            scope.spawn(move || bulk(client, to, token, promised));
        }
        for _ in 0..rounds {
            let before = promised.names.lock().unwrap().len();
            support::waiting::until("the clients get on", Duration::from_secs(60), || {
                promised.names.lock().unwrap().len() > before + 200
            });
            random.moment(Duration::from_millis(100));
            harm(place, &mut nodes, &mut random);
        }
        promised.stops.store(true, SeqCst);
    });
    let (ids, names) = (promised.ids.into_inner().unwrap(), promised.names.into_inner().unwrap());
    let stored = place.names();
    for (name, id) in &ids {
        assert_eq!(stored.get(name), Some(id), "{name} was answered");
    }
    assert!(names.iter().all(|name| stored.contains_key(name)), "every record that was answered is there");
    assert_eq!(
        (stored.len(), place.records()),
        (names.len(), names.len() as i64),
        "and no other, and none twice"
    );
    let retries = promised.retries.into_inner();
    assert!(retries > 0, "no harm came while a request was under way: this proves nothing");
    place.check_all_signed();
    println!("measured: {rounds} times harmed, {} records, {retries} requests sent again", names.len());
}

/// Sends one record after the other. Even when it stops, it has an answer for each that it has sent.
fn single(client: usize, to: &[SocketAddr], token: &str, promised: &Promised) {
    for number in 0.. {
        if promised.stops.load(SeqCst) {
            return;
        }
        let name = format!("single {client} {number}");
        let body = format!("{{\"external_id\":\"{name}\",\"payload\":\"{name}\"}}");
        let id = until_answered(promised, to.iter().cycle().skip(client), |to| {
            let answer =
                post(to, token, "/v1/records", &[("content-type", "application/json")], body.as_bytes())
                    .ok()?;
            let status = answer.status;
            let text = answer.text().ok()?;
            assert!((200..300).contains(&status) || status == 503, "{status}: {text}");
            if status == 503 {
                return None;
            }
            let answer: serde_json::Value = serde_json::from_str(&text).ok()?;
            answer["id"].as_str()?.parse().ok()
        });
        promised.ids.lock().unwrap().insert(name.clone(), id);
        promised.names.lock().unwrap().push(name);
    }
}

/// Sends many lines at a time, until the last line of the answer says that all is well.
fn bulk(client: usize, to: &[SocketAddr], token: &str, promised: &Promised) {
    for number in 0.. {
        if promised.stops.load(SeqCst) {
            return;
        }
        let names: Vec<_> = (0..300).map(|line| format!("bulk {client} {number} {line}")).collect();
        let line = |name: &String| format!("{{\"external_id\":\"{name}\",\"payload\":\"{name}\"}}\n");
        let body: String = names.iter().map(line).collect();
        until_answered(promised, to.iter().cycle().skip(client), |to| {
            let headers = [("content-type", "application/x-ndjson")];
            let answer = post(to, token, "/v1/records/bulk", &headers, body.as_bytes()).ok()?;
            let status = answer.status;
            let text = answer.text().ok()?;
            assert!(matches!(status, 200 | 503), "{status}: {text}");
            text.lines().last().filter(|last| last.starts_with("{\"done\":true,\"ok\":true")).map(drop)
        });
        promised.names.lock().unwrap().extend(names);
    }
}

/// Asks one node after the other until there is an answer, which comes when one is up again.
fn until_answered<'a, T>(
    promised: &Promised,
    nodes: impl Iterator<Item = &'a SocketAddr>,
    attempt: impl Fn(SocketAddr) -> Option<T>,
) -> T {
    for node in nodes {
        if let Some(answer) = attempt(*node) {
            return answer;
        }
        promised.retries.fetch_add(1, SeqCst);
        support::waiting::lasting(Duration::from_millis(20));
    }
    unreachable!("the nodes never end");
}
