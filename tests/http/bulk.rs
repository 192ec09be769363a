//! Records in bulk: any number, with clients that read at any time, and verdicts that are true.

use std::{
    io::Write,
    net::{Shutdown, SocketAddr},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::{api::Api, waiting::until};

use crate::{
    client::{Answer, Exchange, post},
    place::{Place, address},
};

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

/// A service that signs nothing, and a token that may submit.
fn started(place: &Place) -> (Api, SocketAddr, String) {
    let api = place.serve(&["--roles", "emit"]);
    let (address, token) = (address(&api), place.token("submit"));
    (api, address, token)
}

/// Lines of records with the names `name 1` and so on.
fn lines(numbers: impl Iterator<Item = u64>) -> String {
    numbers
        .map(|number| format!("{{\"external_id\":\"name {number}\",\"payload\":\"{number}\"}}\n"))
        .collect()
}

fn send_all(to: SocketAddr, token: &str, query: &str, text: &str) -> Answer {
    post(to, token, &format!("/v1/records/bulk{query}"), &[NDJSON], text.as_bytes()).unwrap()
}

/// All lines of the answer but the last one, and that.
fn verdicts(answer: Answer) -> (Vec<Value>, Value) {
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/x-ndjson"));
    let mut lines: Vec<Value> = answer.lines().map(Result::unwrap).collect();
    let last = lines.pop().expect("there is a last line");
    assert!(last["done"].is_boolean() && lines.iter().all(|line| line["done"].is_null()), "{last}");
    (lines, last)
}

/// The numbers of lines by verdict, after a check that the ranges leave no line out.
fn counted(ranges: &[Value]) -> (u64, u64, u64) {
    let (mut next, mut counted) = (1, (0, 0, 0));
    for range in ranges {
        let number = |name: &str| range[name].as_u64().unwrap_or(0);
        let (first, last) = (range["lines"][0].as_u64().unwrap(), range["lines"][1].as_u64().unwrap());
        assert_eq!(first, next, "no gap and no overlap: {range}");
        next = last + 1;
        match range["verdict"].as_str().unwrap() {
            "inserted" => counted.0 += next - first,
            "already_there" => counted.1 += next - first,
            "conflict" => counted.2 += next - first,
            _ => {
                counted.0 += number("inserted");
                counted.1 += number("already_there");
                counted.2 += number("conflicts");
            }
        }
    }
    counted
}

#[test]
fn a_client_may_send_100000_lines_before_it_reads() {
    for place in Place::of_each_kind() {
        let (_api, to, token) = started(&place);
        let text = lines(1..=100_000);
        let (ranges, last) = verdicts(send_all(to, &token, "", &text));
        assert_eq!(counted(&ranges), (100_000, 0, 0));
        let done = json!({"done": true, "ok": true, "lines": 100_000, "inserted": 100_000, "already_there": 0, "conflicts": 0});
        assert_eq!((last, place.records()), (done, 100_000));
        let (ranges, last) = verdicts(send_all(to, &token, "", &text));
        assert_eq!((counted(&ranges), last["ok"].as_bool()), ((0, 100_000, 0), Some(true)));
        // Ids are those of the lines, in their order.
        let names = place.names();
        let first = &ranges[0];
        let id = first["ids"].as_str().unwrap().split(['-', ',']).next().unwrap();
        assert_eq!(id, names["name 1"].to_string());
        assert_eq!((names.len(), place.records()), (100_000, 100_000));
    }
}

#[test]
fn a_client_that_reads_nothing_of_many_verdicts_still_gets_to_its_end() {
    let place = Place::sqlite();
    let (_api, to, token) = started(&place);
    // The verdicts change from line to line: they are more than the sockets hold, and so is the body.
    let payload = "x".repeat(1000);
    let text: String = (1..=120_000)
        .map(|n| if n % 2 == 0 { 0 } else { n })
        .map(|name| format!("{{\"external_id\":\"name {name}\",\"payload\":\"{payload}\"}}\n"))
        .collect();
    let (ranges, last) = verdicts(send_all(to, &token, "", &text));
    assert_eq!(counted(&ranges), (60_001, 59_999, 0));
    assert_eq!((&last["done"], &last["ok"], place.records()), (&json!(true), &json!(true), 60_001));
    assert!(
        ranges.iter().any(|range| range["verdict"] == "mixed"),
        "the sockets held everything: this proves nothing"
    );

    let same = json!({"external_id": "name 0", "payload": payload});
    let (problems, last) =
        verdicts(send_all(to, &token, "?verdicts=problems", &format!("{}{same}", lines([1, 3].into_iter()))));
    assert_eq!(problems, [json!({"lines": [1, 2], "verdict": "conflict"})]);
    assert_eq!((&last["ok"], &last["already_there"]), (&json!(false), &json!(1)));
}

#[test]
fn a_client_that_reads_while_it_sends_gets_each_verdict_after_its_commit() {
    for place in Place::of_each_kind() {
        let (_api, to, token) = started(&place);
        let mut bulk = Exchange::bulk(to, &token, "?verdicts=each").unwrap();
        bulk.chunk(&lines(1..=10)).unwrap();
        let mut answer = bulk.answer().unwrap().lines();
        for round in 0..20 {
            for line in round * 10 + 1..=round * 10 + 10 {
                let verdict = answer.next().unwrap().unwrap();
                assert_eq!(
                    (&verdict["lines"], &verdict["verdict"]),
                    (&json!([line, line]), &json!("inserted"))
                );
            }
            assert_eq!(place.records(), round * 10 + 10, "what is told is stored");
            let next = round as u64 * 10 + 11;
            bulk.chunk(&lines(next..next + 10)).unwrap();
        }
        bulk.end().unwrap();
        assert_eq!(answer.last().unwrap().unwrap()["lines"], 210);
    }
}

#[test]
fn a_line_that_is_not_valid_ends_the_stream_and_the_lines_before_it_are_stored() {
    for place in Place::of_each_kind() {
        let (_api, to, token) = started(&place);
        let good = lines(1..=2500);
        let more = lines(2502..=30_000);
        for (bad, slug) in [
            ("{\"payload\":\"canary\"}", "identity-missing"),
            ("{\"external_id\":\"canary\",\"payload\":\"b\"", "line-invalid"),
            ("{\"external_id\":\"idempotency:canary\",\"payload\":\"b\"}", "invalid-request"),
            ("canary", "line-invalid"),
        ] {
            let (ranges, last) = verdicts(send_all(to, &token, "", &format!("{good}{bad}\n{more}")));
            let (inserted, there, _) = counted(&ranges);
            assert_eq!(inserted + there, 2500);
            let problem = &last["problem"];
            assert_eq!(problem["type"], format!("/problems/{slug}"), "{last}");
            assert_eq!((&last["done"], &last["resume_line"]), (&json!(false), &json!(2501)));
            assert!(problem["detail"].as_str().unwrap().starts_with("Line 2501"), "{problem}");
            assert!(!last.to_string().contains("canary"), "{last}");
            assert_eq!(place.records(), 2500);
        }
        let first = send_all(to, &token, "", "canary\n");
        assert_eq!(first.status, 400, "nothing was stored, so that the status says it");
        assert!(first.json()["detail"].as_str().unwrap().starts_with("Line 1:"));
        let resumed = verdicts(send_all(to, &token, "", &more)).1;
        assert_eq!((resumed["inserted"].as_u64(), place.records()), (Some(27_499), 29_999));
    }
}

#[test]
fn a_client_that_goes_on_sending_behind_a_bad_line_still_reads_why() {
    let place = Place::sqlite();
    let (_api, to, token) = started(&place);
    let (good, more) = (lines(1..=10) + "canary\n", lines(1..=50_000));
    let length = (good.len() + 12 * more.len()).to_string();
    let headers = [NDJSON, ("content-length", length.as_str())];
    let mut bulk = Exchange::post(to, &token, "/v1/records/bulk", &headers).unwrap();
    bulk.stream.write_all(good.as_bytes()).unwrap();
    for _ in 0..12 {
        bulk.stream.write_all(more.as_bytes()).unwrap();
        support::waiting::lasting(Duration::from_millis(250));
    }
    let (ranges, last) = verdicts(bulk.answer().unwrap());
    assert_eq!((counted(&ranges), &last["resume_line"]), ((10, 0, 0), &json!(11)));
    assert_eq!(place.records(), 10);
}

#[test]
fn a_conflict_ends_the_stream_only_if_the_client_wants_that() {
    for place in Place::of_each_kind() {
        let (_api, to, token) = started(&place);
        let taken = json!({"external_id": "name 1200", "payload": "other"}).to_string();
        verdicts(send_all(to, &token, "", &taken));
        let text = lines(1..=3000);
        let (ranges, last) = verdicts(send_all(to, &token, "?on_conflict=stop", &text));
        assert_eq!(counted(&ranges), (1199, 0, 1));
        assert_eq!((&last["done"], &last["resume_line"]), (&json!(false), &json!(1200)));
        assert_eq!(
            (&last["problem"]["type"], place.records()),
            (&json!("/problems/external-id-conflict"), 1200)
        );
        let (ranges, last) = verdicts(send_all(to, &token, "?on_conflict=continue", &text));
        assert_eq!(counted(&ranges), (1800, 1199, 1));
        assert_eq!((&last["done"], &last["ok"], place.records()), (&json!(true), &json!(false), 3000));
    }
}

#[test]
fn a_stream_that_was_cut_is_resumed_by_sending_it_again() {
    for place in Place::of_each_kind() {
        let (_api, to, token) = started(&place);
        let text = lines(1..=20_000);
        let mut bulk = Exchange::bulk(to, &token, "").unwrap();
        bulk.chunk(&lines(1..=7000)).unwrap();
        let first = bulk.answer().unwrap().lines().next().unwrap().unwrap();
        // The connection ends in the middle of a line.
        bulk.stream.write_all(b"ff\r\n{\"external_id\":\"na").unwrap();
        bulk.stream.shutdown(Shutdown::Both).unwrap();
        let told = first["lines"][1].as_i64().unwrap();
        assert!(place.records() >= told, "what was told is stored");
        let (ranges, last) = verdicts(send_all(to, &token, "", &text));
        let (inserted, there, conflicts) = counted(&ranges);
        assert_eq!((inserted + there, conflicts, last["ok"].as_bool()), (20_000, 0, Some(true)));
        assert!(there >= told as u64);
        assert_eq!((place.records(), place.names().len()), (20_000, 20_000));
    }
}

#[test]
fn a_stop_stores_what_has_come_and_says_where_to_go_on() {
    let place = Place::sqlite();
    let (mut api, to, token) = started(&place);
    let mut bulk = Exchange::bulk(to, &token, "").unwrap();
    bulk.chunk(&lines(1..=3000)).unwrap();
    let answer = bulk.answer().unwrap();
    until("all has come", Duration::from_secs(30), || place.records() == 3000);
    api.service.signal(Signal::TERM);
    let (ranges, last) = verdicts(answer);
    assert_eq!(counted(&ranges), (3000, 0, 0));
    assert_eq!(
        (&last["problem"]["type"], &last["resume_line"]),
        (&json!("/problems/stopping"), &json!(3001))
    );
    assert_eq!(api.service.wait(Duration::from_secs(20)), Some(0));
}

#[test]
fn nameless_lines_other_media_types_and_too_many_streams_are_refused() {
    let place = Place::sqlite();
    let (_api, to, token) = started(&place);
    let nameless = "{\"payload\":\"a\"}\n\n{\"payload\":\"b\"}\r\n";
    assert_eq!(send_all(to, &token, "", nameless).status, 400);
    let (ranges, last) = verdicts(send_all(to, &token, "?anonymous=true", nameless));
    let expected = [
        json!({"lines": [1, 1], "verdict": "inserted", "ids": "1"}),
        json!({"lines": [3, 3], "verdict": "inserted", "ids": "2"}),
    ];
    assert_eq!((ranges, last["lines"].as_u64()), (expected.to_vec(), Some(3)));
    let empty = verdicts(send_all(to, &token, "", "")).1;
    assert_eq!((empty["ok"].as_bool(), empty["lines"].as_u64()), (Some(true), Some(0)));
    for headers in [&[("content-type", "text/csv")][..], &[NDJSON, ("content-encoding", "gzip")]] {
        assert_eq!(post(to, &token, "/v1/records/bulk", headers, b"canary").unwrap().status, 415);
    }
    assert_eq!(send_all(to, &token, "?canary=1", "").status, 400);

    let mut open: Vec<Exchange> = (0..16).map(|_| Exchange::bulk(to, &token, "").unwrap()).collect();
    for (stream, number) in open.iter_mut().zip(1..) {
        stream.chunk(&lines(number..=number)).unwrap();
        assert_eq!(stream.answer().unwrap().status, 200);
    }
    let refused = send_all(to, &token, "", &lines(17..=17));
    assert_eq!((refused.status, refused.headers["retry-after"].as_str()), (503, "1"));
    open.pop().unwrap().end().unwrap();
    until("a place is free", Duration::from_secs(10), || {
        send_all(to, &token, "", &lines(17..=17)).status == 200
    });
}

#[test]
fn large_payloads_of_many_streams_are_all_stored_though_they_do_not_fit_at_once() {
    let place = Place::sqlite();
    let (_api, to, token) = started(&place);
    let payload = "x".repeat(15 << 20);
    let done: Vec<Value> = thread::scope(|scope| {
        let send = |stream: usize| {
            let (payload, token) = (&payload, &token);
            scope.spawn(move || {
                let text = format!("{{\"external_id\":\"{stream}\",\"payload\":\"{payload}\"}}\n");
                loop {
                    let answer = send_all(to, token, "?verdicts=problems", &text);
                    // A client that is told that the service is overloaded sends again.
                    if answer.status != 200 {
                        assert_eq!(answer.json()["type"], "/problems/overloaded");
                        continue;
                    }
                    let last = verdicts(answer).1;
                    if last["done"] == true {
                        return last;
                    }
                    assert_eq!(last["problem"]["type"], "/problems/overloaded", "{last}");
                }
            })
        };
        let clients: Vec<_> = (0..10).map(send).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(done.iter().all(|last| last["ok"] == true), "{done:?}");
    assert_eq!(place.records(), 10);
}
