//! Reading records: each answer says what is in the database, and those that never change say so.

use std::{
    thread,
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use support::{
    api::{json, text},
    sandbox::Sandbox,
    waiting::{timely, until},
};

use crate::site::{Site, signed};

#[test]
fn a_record_is_read_by_its_id_and_by_its_name_with_its_payload_if_that_is_wanted() {
    let sandbox = Sandbox::migrated();
    sandbox.sql("INSERT INTO record (external_id, payload) VALUES ('a/../b?', x'ff00')");
    let site = Site::over(sandbox, "read", &["--roles", "emit"]);
    let record = site.get("/v1/records/1");
    assert_eq!((&record["id"], &record["external_id"]), (&"1".into(), &"a/../b?".into()));
    assert_eq!((&record["state"], &record["payload_length"]), (&"waiting".into(), &2.into()));
    assert!(record.get("payload_base64").is_none() && record.get("signature").is_none());
    assert_eq!(site.get("/v1/records?external_id=a%2F..%2Fb%3F&with_payload=true")["payload_base64"], "/wA=");
    let status = |path: &str| site.get_with(path, &[]).status().as_u16();
    for path in
        ["/v1/records/2", "/v1/records/x", "/v1/records/01", "/v1/records?external_id=%00", "/v1/batches/9"]
    {
        assert_eq!(status(path), 404, "{path}");
    }
    for path in
        ["/v1/records", "/v1/records/1?payload=true", "/v1/records/1?with_payload=yes", "/v1/batches?limit=0"]
    {
        let refused = site.get_with(path, &[]);
        assert_eq!(
            (refused.status().as_u16(), json(refused)["type"].clone()),
            (400, "/problems/invalid-request".into())
        );
    }
    let answer = site.get_with("/v1/records/1", &[]);
    assert_eq!(answer.headers()["cache-control"], "no-store", "it will be signed");
}

#[test]
fn a_signed_record_never_changes_and_a_client_that_has_it_is_told_so() {
    let site = Site::over(signed("3"), "read", &["--roles", "emit"]);
    let mut tags = Vec::new();
    for (path, accept) in [
        ("/v1/records/2", "application/json"),
        ("/v1/records/2?with_payload=true", "*/*"),
        ("/v1/records/2/signature", "application/json"),
        ("/v1/records/2/signature", "application/octet-stream"),
        ("/v1/records/3/signature", "application/octet-stream"),
    ] {
        let answer = site.get_with(path, &[("accept", accept)]);
        let headers = answer.headers();
        assert_eq!(headers["cache-control"], "private, max-age=31536000, immutable");
        let tag = headers["etag"].to_str().unwrap().to_owned();
        assert!(tag.starts_with('"') && !tags.contains(&tag), "strong, and another for each form: {tag}");
        let again = site.get_with(path, &[("accept", accept), ("if-none-match", &tag)]);
        assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag.parse().unwrap()));
        assert_eq!(text(again), "");
        assert_eq!(site.get_with(path, &[("accept", accept), ("if-none-match", "\"other\"")]).status(), 200);
        tags.push(tag);
    }
    let shown = site.get("/v1/records/2/signature");
    let mut raw = site.get_with("/v1/records/2/signature", &[("accept", "application/octet-stream")]);
    assert_eq!(raw.headers()["signwave-fingerprint"], shown["fingerprint"].as_str().unwrap());
    assert_eq!(BASE64.encode(&raw.body_mut().read_to_vec().unwrap()), shown["signature"].as_str().unwrap());
    assert_eq!(shown["external_id"], "seed-2");
    assert_eq!(site.get_with("/v1/records/2/signature", &[("accept", "text/html")]).status(), 406);
}

#[test]
fn an_unsigned_record_is_waited_for_as_long_as_the_client_says() {
    let sandbox = Sandbox::migrated();
    sandbox.sql("INSERT INTO record (payload) VALUES ('a')");
    let site = Site::over(sandbox, "read", &[]);
    let answer = site.get_with("/v1/records/1/signature", &[]);
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (202, true));
    assert_eq!(json(answer)["record_id"], "1");
    timely("a wait of a second", Duration::from_secs(10), || {
        let began = Instant::now();
        let late = site.get_with("/v1/records/1/signature", &[("prefer", "wait=1")]);
        assert_eq!(
            (late.status().as_u16(), &late.headers()["preference-applied"]),
            (202, &"wait=1".parse().unwrap())
        );
        assert!(began.elapsed() >= Duration::from_secs(1));
        began.elapsed()
    });
    thread::scope(|scope| {
        let waiting = scope.spawn(|| site.get_with("/v1/records/1/signature", &[("prefer", "wait=30")]));
        site.sandbox.ok(&["keys", "generate"]);
        let answer = waiting.join().unwrap();
        assert_eq!(answer.status(), 200);
        assert!(!json(answer)["signature"].as_str().unwrap().is_empty());
    });
    assert_eq!(site.get_with("/v1/records/9/signature", &[("prefer", "wait=9")]).status(), 404, "at once");
    assert_eq!(site.get_with("/v1/records/1/signature", &[("prefer", "wait=soon")]).status(), 400);
}

#[test]
fn a_history_says_what_happened() {
    let site = Site::over(signed("5"), "read", &["--roles", "emit"]);
    site.sandbox.sql("INSERT INTO record (payload) VALUES ('new')");
    let events =
        |id: u32| site.get(&format!("/v1/records/{id}/history"))["events"].as_array().unwrap().clone();
    let signed = events(2);
    let whats: Vec<_> = signed.iter().map(|event| event["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["added", "batched", "leased", "signed"]);
    let times: Vec<_> = signed.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let fingerprint = site.get("/v1/records/2/signature")["fingerprint"].clone();
    assert_eq!((&signed[3]["fingerprint"], &signed[3]["batch"]), (&fingerprint, &"1".into()));
    assert_eq!(signed[3]["epoch"], "1");
    until("the new record is batched", Duration::from_secs(30), || events(6).len() == 2);
    assert_eq!(events(6)[1]["batch"], "2");
    assert_eq!(site.get_with("/v1/records/9/history", &[]).status(), 404);
}

#[test]
fn batches_come_in_pages_and_the_status_and_nodes_say_what_is_there() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--keys", "1", "--records", "5"]);
    sandbox.ok(&["sign", "--batch-size", "2"]);
    let site = Site::over(sandbox, "read", &["--roles", "emit", "--node-name", "canary"]);
    let page = site.get("/v1/batches?limit=2&state=signed");
    let ids = |page: &serde_json::Value| -> Vec<String> {
        let batches = page["batches"].as_array().unwrap().iter();
        batches.map(|batch| batch["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((ids(&page), &page["next"]), (vec!["3".to_owned(), "2".to_owned()], &"2".into()));
    let next = site.get("/v1/batches?limit=2&state=signed&after=2");
    assert_eq!((ids(&next), &next["next"]), (vec!["1".to_owned()], &serde_json::Value::Null));
    assert_eq!(site.get("/v1/batches?state=open")["batches"].as_array().unwrap().len(), 0);
    let batch = site.get("/v1/batches/3");
    assert_eq!(
        (&batch["records"], &batch["record_count"], &batch["state"]),
        (&"5".into(), &1.into(), &"signed".into())
    );
    let name = || site.get("/v1/nodes")["nodes"][0]["name"].as_str().unwrap_or_default().to_owned();
    until("the node is seen", Duration::from_secs(30), || name().starts_with("canary"));
    site.sandbox.sql("INSERT INTO record (payload) VALUES ('new')");
    until("the status shows it", Duration::from_secs(30), || {
        site.get("/v1/status")["oldest_unsigned"]["record_id"] == "6"
    });
    let status = site.get("/v1/status");
    assert_eq!((&status["records"]["signed"], &status["nodes"]), (&5.into(), &1.into()));
    assert_eq!(status["busy_share"], serde_json::Value::Null, "this process signs nothing");
}
