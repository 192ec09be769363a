//! Single records: each answer is true, and sending a record again is harmless.

use std::{
    net::SocketAddr,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{
    process::Running,
    waiting::{timely, until},
};

use crate::{
    client::{Answer, post},
    place::{Place, address},
};

const JSON: (&str, &str) = ("content-type", "application/json");
const BYTES: (&str, &str) = ("content-type", "application/octet-stream");

/// A service that signs nothing, and a token that may submit.
fn started(place: &Place) -> (support::api::Api, SocketAddr, String) {
    let api = place.serve(&["--roles", "emit"]);
    let (address, token) = (address(&api), place.token("submit"));
    (api, address, token)
}

fn submit(to: SocketAddr, token: &str, headers: &[(&str, &str)], record: &Value) -> Answer {
    post(to, token, "/v1/records", &[&[JSON], headers].concat(), record.to_string().as_bytes()).unwrap()
}

/// The status, and the problem's slug.
fn refused(answer: Answer) -> (u16, String) {
    let status = answer.status;
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let problem = answer.json();
    let slug = problem["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned();
    assert!(!problem.to_string().contains("canary"), "{problem}");
    (status, slug)
}

#[test]
fn a_record_is_new_once_and_there_for_ever_after() {
    for place in Place::of_each_kind() {
        let (_api, to, token) = started(&place);
        let record = json!({"external_id": "a/../b", "payload": "é"});
        let new = submit(to, &token, &[], &record);
        let location = new.headers["location"].clone();
        assert_eq!(new.status, 201);
        let new = new.json();
        let id = new["id"].as_str().unwrap().to_owned();
        assert_eq!(location, format!("/v1/records/{id}"));
        let expected = json!({"id": id, "external_id": "a/../b", "verdict": "inserted", "state": "waiting"});
        assert_eq!(new, expected);

        // The same bytes in another form are the same record.
        let again = submit(to, &token, &[], &json!({"external_id": "a/../b", "payload_base64": "w6k="}));
        assert_eq!((again.status, &again.headers["location"]), (200, &location));
        assert_eq!((&again.json()["verdict"], place.records()), (&json!("already_there"), 1));
        let raw = post(to, &token, "/v1/records?external_id=a%2F..%2Fb", &[BYTES], "é".as_bytes()).unwrap();
        assert_eq!((raw.status, &raw.headers["location"]), (200, &location));

        let other = submit(to, &token, &[], &json!({"external_id": "a/../b", "payload": "canary"}));
        assert_eq!(refused(other), (409, "external-id-conflict".to_owned()));
        assert_eq!(place.records(), 1);
    }
}

#[test]
fn an_idempotency_key_names_a_record_for_one_token() {
    let place = Place::sqlite();
    let (_api, to, token) = started(&place);
    let (other, key) = (place.token("submit"), [("idempotency-key", "\"order 7\"")]);
    let record = json!({"payload": "a"});
    let (first, again) = (submit(to, &token, &key, &record), submit(to, &token, &key, &record));
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.json()["id"], again.json()["id"]);
    let reused = submit(to, &token, &key, &json!({"payload": "canary"}));
    assert_eq!(refused(reused), (422, "idempotency-key-reused".to_owned()));
    assert_eq!(submit(to, &other, &key, &json!({"payload": "another"})).status, 201, "another token's key");
    let id = token.split('_').nth(1).unwrap();
    assert!(place.names().contains_key(&format!("idempotency:{id}:order 7")), "{:?}", place.names());
    let stolen = json!({"external_id": format!("idempotency:{id}:order 8"), "payload": "a"});
    assert_eq!(refused(submit(to, &other, &[], &stolen)), (400, "invalid-request".to_owned()));
}

#[test]
fn a_record_without_a_name_is_taken_only_if_the_client_says_so() {
    let place = Place::sqlite();
    let (_api, to, token) = started(&place);
    let nameless = json!({"payload": "a"}).to_string();
    let without = post(to, &token, "/v1/records", &[JSON], nameless.as_bytes()).unwrap();
    assert_eq!(refused(without), (400, "identity-missing".to_owned()));
    for records in 1..=2 {
        let said = post(to, &token, "/v1/records?anonymous=true", &[JSON], nameless.as_bytes()).unwrap();
        assert_eq!((said.status, place.records()), (201, records));
    }
}

#[test]
fn what_is_not_a_record_is_refused_and_not_repeated() {
    let place = Place::sqlite();
    place.ok(&["migrate", "--max-payload", "100"]);
    let (_api, to, token) = started(&place);
    let long = "x".repeat(101);
    let too_long = json!({"external_id": "a", "payload": long}).to_string();
    let invalid = (400, "invalid-request");
    for (path, headers, body, (status, slug)) in [
        ("", vec![JSON], "", invalid),
        ("", vec![JSON], "canary", invalid),
        ("", vec![JSON], "[{\"external_id\":\"a\",\"payload\":\"b\"}]", invalid),
        ("", vec![JSON], "{\"external_id\":\"a\",\"payload\":\"b\",\"canary\":1}", invalid),
        ("", vec![JSON], "{\"external_id\":\"a\",\"payload_base64\":\"canary!\"}", invalid),
        ("", vec![JSON], "{\"external_id\":\"\",\"payload\":\"b\"}", invalid),
        ("?external_id=canary", vec![JSON], "{\"payload\":\"b\"}", invalid),
        ("?canary=1", vec![JSON], "{\"external_id\":\"a\",\"payload\":\"b\"}", invalid),
        ("?anonymous=true", vec![JSON], "{\"external_id\":\"canary\",\"payload\":\"b\"}", invalid),
        ("?external_id=", vec![BYTES], "b", invalid),
        ("", vec![JSON, ("idempotency-key", "canary")], "{\"payload\":\"b\"}", invalid),
        (
            "",
            vec![JSON, ("idempotency-key", "\"canary\"")],
            "{\"external_id\":\"a\",\"payload\":\"b\"}",
            invalid,
        ),
        (
            "",
            vec![JSON, ("idempotency-key", "\"a\""), ("idempotency-key", "\"b\"")],
            "{\"payload\":\"b\"}",
            invalid,
        ),
        ("?external_id=a", vec![BYTES, ("prefer", "wait=canary")], "b", invalid),
        ("", vec![JSON], &too_long, (413, "content-too-large")),
        ("?external_id=a", vec![BYTES], &long, (413, "content-too-large")),
        ("", vec![("content-type", "text/csv")], "canary", (415, "unsupported-media-type")),
        ("", vec![], "{\"external_id\":\"a\",\"payload\":\"b\"}", (415, "unsupported-media-type")),
        ("?external_id=a", vec![BYTES, ("content-encoding", "gzip")], "b", (415, "unsupported-media-type")),
    ] {
        let answer = post(to, &token, &format!("/v1/records{path}"), &headers, body.as_bytes()).unwrap();
        assert_eq!(refused(answer), (status, slug.to_owned()), "{path} {headers:?} {body}");
    }
    assert_eq!(place.records(), 0);
}

#[test]
fn one_name_from_many_connections_at_the_same_moment_is_one_record() {
    for place in Place::of_each_kind() {
        let (_api, to, token) = started(&place);
        for round in 0..5 {
            let barrier = Barrier::new(32);
            let answers: Vec<(u16, Value)> = thread::scope(|scope| {
                let send = |_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let record = json!({"external_id": format!("round {round}"), "payload": "a"});
                        let answer = submit(to, &token, &[], &record);
                        (answer.status, answer.json()["id"].clone())
                    })
                };
                let clients: Vec<_> = (0..32).map(send).collect();
                clients.into_iter().map(|client| client.join().unwrap()).collect()
            });
            let new = answers.iter().filter(|(status, _)| *status == 201).count();
            let there = answers.iter().filter(|(status, _)| *status == 200).count();
            assert_eq!((new, there), (1, 31));
            assert!(answers.iter().all(|(_, id)| *id == answers[0].1), "{answers:?}");
            assert_eq!(place.records(), round + 1);
        }
    }
}

#[test]
fn a_wait_is_answered_with_the_signature_that_is_stored() {
    for place in Place::of_each_kind() {
        let api = place.serve(&[]);
        let (to, token) = (address(&api), place.token("submit"));
        let mut times = Vec::new();
        for (i, status) in [(1, 201), (1, 200), (2, 201)] {
            let record = json!({"external_id": format!("name {i}"), "payload": "a"});
            let begun = Instant::now();
            let answer = submit(to, &token, &[("prefer", "respond-async, wait=99")], &record);
            assert_eq!((answer.status, answer.headers["preference-applied"].as_str()), (status, "wait=30"));
            let body = answer.json();
            assert_eq!(
                (&body["state"], &body["signature"]["scheme"]),
                (&json!("signed"), &json!("PS256")),
                "{body}"
            );
            let signature = body["signature"]["signature"].as_str().unwrap();
            let bytes = data_encoding::BASE64.decode(signature.as_bytes()).unwrap();
            let id = body["id"].as_str().unwrap();
            let length = format!("SELECT length(value) FROM signature WHERE record_id = {id}");
            assert_eq!(place.number(&length), bytes.len() as i64, "it is stored when it is told");
            times.push(begun.elapsed());
        }
        assert!(times.iter().min().unwrap().as_secs() < 20, "it does not wait to the end: {times:?}");
        place.check_all_signed();
    }
}

#[test]
fn a_wait_that_is_over_says_that_the_record_is_stored_and_when_to_look_again() {
    let place = Place::sqlite();
    let (_api, to, token) = started(&place);
    timely("a wait of a second", Duration::from_secs(20), || {
        let (begun, name) = (Instant::now(), format!("name {}", place.records()));
        let record = json!({"external_id": name, "payload": "b"});
        let answer = submit(to, &token, &[("prefer", "wait=1")], &record);
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(1), "{took:?}");
        assert_eq!((answer.status, place.names().contains_key(&name)), (202, true));
        assert_eq!(
            (answer.headers["retry-after"].as_str(), answer.headers["preference-applied"].as_str()),
            ("1", "wait=1")
        );
        let location = answer.headers["location"].clone();
        assert_eq!(location, format!("/v1/records/{}", answer.json()["id"].as_str().unwrap()));
        took
    });
}

#[test]
fn a_wait_is_answered_when_another_process_signs() {
    for place in Place::of_each_kind() {
        let (_api, to, token) = started(&place);
        let mut signer = place.command(&["serve", "--listen", "none", "--roles", "sign"]);
        signer.current_dir(place.sandbox.path(""));
        let _signer = Running::start(signer, place.sandbox.path("signer.log"));
        let record = |name: &str| json!({"external_id": name, "payload": "b"});
        // The other process is up once it has signed the first record.
        assert_eq!(submit(to, &token, &[("prefer", "wait=30")], &record("a")).status, 201);
        timely("the answer", Duration::from_secs(15), || {
            let (begun, name) = (Instant::now(), format!("name {}", place.records()));
            let answer = submit(to, &token, &[("prefer", "wait=30")], &record(&name));
            let took = begun.elapsed();
            assert_eq!(answer.status, 201);
            assert_eq!(answer.json()["state"], "signed");
            took
        });
    }
}

#[test]
fn a_stop_ends_waits_at_once_and_their_records_are_stored() {
    timely("the stop", Duration::from_secs(15), || {
        let place = Place::sqlite();
        let (mut api, to, token) = started(&place);
        let client = thread::spawn(move || {
            submit(to, &token, &[("prefer", "wait=30")], &json!({"external_id": "a", "payload": "b"}))
        });
        until("it is stored", Duration::from_secs(30), || place.records() == 1);
        let begun = Instant::now();
        api.service.signal(rustix::process::Signal::TERM);
        assert_eq!(client.join().unwrap().status, 202);
        assert_eq!(api.service.wait(Duration::from_secs(20)), Some(0));
        begun.elapsed()
    });
}
