//! The feed over HTTP: from any position on, in each form, waiting for more, and refused where it does not go on.

use std::{
    io::{BufRead, BufReader},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{
    api::{json as body, text},
    sandbox::Sandbox,
    waiting::timely,
};

use crate::site::{Site, signed};

const CLOUD_EVENTS: &str = "application/cloudevents-batch+json";
const EVENTS: &str = "text/event-stream";

/// 60 signatures in six batches of ten, by a service that signs nothing.
fn site() -> Site {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--keys", "2", "--records", "60"]);
    sandbox.ok(&["sign", "--batch-size", "10"]);
    Site::over(sandbox, "read", &["--roles", "emit"])
}

/// The rows of an answer, without its last line, and the position that its head names.
fn page(site: &Site, query: &str) -> (Vec<Value>, String) {
    let answer = site.get_with(&format!("/v1/signatures{query}"), &[]);
    assert_eq!(answer.status(), 200, "{query}");
    let position = answer.headers()["signwave-position"].to_str().unwrap().to_owned();
    let text = text(answer);
    let mut rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = rows.pop().unwrap();
    assert_eq!(end, json!({ "end": true, "signatures": rows.len(), "position": position }), "{query}");
    assert!(rows.last().is_none_or(|last| last["position"] == position.as_str()), "{query}");
    (rows, position)
}

fn sign_up_to(site: &Site, records: usize) {
    site.sandbox.ok(&["seed", "--records", &records.to_string()]);
    site.sandbox.ok(&["sign", "--batch-size", "10"]);
}

#[test]
fn pages_of_any_size_have_every_signature_once() {
    let site = site();
    let (all, last) = page(&site, "");
    assert_eq!((all.len(), &*last), (60, all[59]["position"].as_str().unwrap()));
    for limit in [1, 7, 10, 59, 60, 10_000] {
        let (mut after, mut seen) = ("0".to_owned(), Vec::new());
        loop {
            let (rows, position) = page(&site, &format!("?limit={limit}&after={after}"));
            assert!(rows.len() <= limit);
            after = position;
            if rows.is_empty() {
                break;
            }
            seen.extend(rows);
        }
        assert_eq!((seen.len(), seen == all, &after), (60, true, &last), "{limit}");
    }
    for row in [&all[0], &all[9], &all[33], &all[58]] {
        let after = row["position"].as_str().unwrap();
        let seen = all.iter().position(|other| other == row).unwrap();
        assert!(page(&site, &format!("?after={after}")).0 == all[seen + 1..], "{after}");
    }
    assert_eq!(page(&site, &format!("?after={last}")), (vec![], last));
}

#[test]
fn a_batch_of_cloud_events_is_as_http_feeds_has_it() {
    let site = site();
    let (all, _) = page(&site, "");
    let get = |query: &str| {
        let answer = site.get_with(&format!("/v1/signatures{query}"), &[("accept", CLOUD_EVENTS)]);
        assert_eq!(answer.headers()["content-type"], CLOUD_EVENTS);
        body(answer)
    };
    let events = get("?limit=25");
    let events = events.as_array().unwrap();
    assert_eq!(events.len(), 25);
    for (event, row) in events.iter().zip(&all) {
        let expected = json!({
            "specversion": "1.0", "type": "signwave.signature", "source": "/v1/signatures",
            "id": row["position"], "time": row["signed_at"], "subject": row["record_id"].to_string(),
            "datacontenttype": "application/json", "data": row,
        });
        assert_eq!(*event, expected);
    }
    let last = events[24]["id"].as_str().unwrap();
    assert_eq!(get(&format!("?lastEventId={last}")).as_array().unwrap().len(), 35);
    let end = all[59]["position"].as_str().unwrap();
    assert_eq!(get(&format!("?lastEventId={end}")), json!([]), "an empty array is the end of the feed");
    let begun = Instant::now();
    assert_eq!(get(&format!("?lastEventId={end}&timeout=1200")), json!([]));
    assert!(begun.elapsed() >= Duration::from_millis(1200));
}

#[test]
fn a_request_that_waits_is_answered_when_something_is_signed() {
    let site = site();
    let (_, end) = page(&site, "");
    let begun = Instant::now();
    assert_eq!(page(&site, &format!("?after={end}&wait=1s")), (vec![], end.clone()));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let more = thread::scope(|scope| {
        let waiting = scope.spawn(|| page(&site, &format!("?after={end}&wait=60s")).0);
        // Whether the request waits already or not, it must not miss them.
        sign_up_to(&site, 70);
        waiting.join().unwrap()
    });
    assert!(!more.is_empty() && more.len() <= 10, "{more:?}");
    assert!(begun.elapsed() < Duration::from_secs(40), "it waits no longer than it must");
}

#[test]
fn a_commit_of_the_same_process_ends_a_wait_at_once() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--keys", "1", "--records", "0"]);
    let site = Site::over(sandbox, "submit,read", &[]);
    let mut number = 0;
    let mut wait = || {
        number += 1;
        let (_, end) = page(&site, "");
        let (rows, took) = thread::scope(|scope| {
            let waiting = scope.spawn(|| page(&site, &format!("?after={end}&wait=30s")).0);
            let begun = Instant::now();
            let record = json!({ "external_id": format!("record {number}"), "payload": "x" });
            let (status, answer) = site.send("POST", "/v1/records", &record);
            assert!([201, 202].contains(&status), "{status} {answer}");
            let rows = waiting.join().unwrap();
            (rows, begun.elapsed())
        });
        assert_eq!(rows.len(), 1);
        took
    };
    // Other processes' commits are looked for once a second.
    for _ in 0..10 {
        timely("a wait for a commit of the same process", Duration::from_millis(700), &mut wait);
    }
}

/// Reads so many events of a stream: their ids and data.
fn events(site: &Site, headers: &[(&str, &str)], query: &str, count: usize) -> Vec<(String, Value)> {
    let answer = site.get_with(&format!("/v1/signatures{query}"), &[&[("accept", EVENTS)], headers].concat());
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], EVENTS);
    let (mut found, mut id) = (Vec::new(), String::new());
    for line in BufReader::new(answer.into_body().into_reader()).lines() {
        let line = line.unwrap();
        if let Some(text) = line.strip_prefix("id: ") {
            id = text.to_owned();
        } else if let Some(data) = line.strip_prefix("data: ") {
            found.push((id.clone(), serde_json::from_str(data).unwrap()));
        }
        if found.len() == count {
            break;
        }
    }
    found
}

#[test]
fn server_sent_events_go_on_where_the_client_was_and_with_what_is_signed_now() {
    let site = site();
    let (all, _) = page(&site, "");
    let first = events(&site, &[], "", 60);
    assert!(first.iter().map(|(_, data)| data).eq(&all));
    assert!(first.iter().all(|(id, data)| data["position"] == id.as_str()));
    // A browser that reconnects sends the same query, and the id of what it saw last.
    let rest = events(&site, &[("last-event-id", &first[41].0)], "?after=0", 18);
    assert_eq!(rest, first[42..]);
    let last = &first[59].0;
    let more = thread::scope(|scope| {
        let following = scope.spawn(|| events(&site, &[], &format!("?after={last}"), 25));
        sign_up_to(&site, 85);
        following.join().unwrap()
    });
    let (now, _) = page(&site, &format!("?after={last}"));
    assert!(more.into_iter().map(|(_, data)| data).eq(now));
}

#[test]
fn a_position_that_the_feed_does_not_have_is_409_in_every_form() {
    let sandbox = signed("100");
    let backup = sandbox.copy();
    sandbox.ok(&["seed", "--records", "150"]);
    sandbox.ok(&["sign", "--batch-size", "10"]);
    sandbox.ok(&["export", "--state", "state", "-o", "out"]);
    let ahead = sandbox.read("state").trim().to_owned();
    let site = Site::over(backup, "read", &["--roles", "emit"]);
    let id = ahead.split_once('.').unwrap().0;
    for (after, says) in [
        (ahead.clone(), "before this position"),
        (format!("{id}.0.99999"), "before this position"),
        ("000000000000.1".to_owned(), "another feed"),
    ] {
        for accept in ["application/x-ndjson", "text/csv", CLOUD_EVENTS, EVENTS] {
            let answer = site.get_with(&format!("/v1/signatures?after={after}"), &[("accept", accept)]);
            assert_eq!(answer.status(), 409, "{accept}");
            let problem = body(answer);
            assert_eq!(problem["type"], "/problems/position-unknown");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(says) && !detail.contains(&after), "{detail}");
        }
    }
    let waiting = site.get_with(&format!("/v1/signatures?after={ahead}&wait=60s"), &[]);
    assert_eq!(waiting.status(), 409, "it does not wait for what cannot come");
    let seen = site.get_with("/v1/signatures", &[("accept", EVENTS), ("last-event-id", &ahead)]);
    assert_eq!(seen.status(), 409);
}

#[test]
fn what_is_not_valid_is_refused() {
    let site = site();
    let (rows, _) = page(&site, "?limit=1");
    let position = rows[0]["position"].as_str().unwrap();
    for query in [
        "?after=1",
        "?after=",
        "?after=x",
        "?limit=0",
        "?limit=10001",
        "?limit=x",
        "?wait=30",
        "?wait=61s",
        "?wait=-1s",
        "?timeout=60001",
        "?timeout=-1",
        "?unknown=1",
        &format!("?after={position}%20"),
        &format!("?after={}", position.to_uppercase()),
    ] {
        assert_eq!(site.get_with(&format!("/v1/signatures{query}"), &[]).status(), 400, "{query}");
    }
    for (query, id) in [("?limit=5", None), ("?wait=5s", None), ("", Some("x")), ("", Some("1"))] {
        let mut headers = vec![("accept", EVENTS)];
        headers.extend(id.map(|id| ("last-event-id", id)));
        assert_eq!(
            site.get_with(&format!("/v1/signatures{query}"), &headers).status(),
            400,
            "{query} {id:?}"
        );
    }
    assert_eq!(site.api.get("/v1/signatures", &[]).status(), 401);
}
