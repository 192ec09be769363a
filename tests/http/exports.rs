//! Exports: all signatures as a stream, in bounded memory.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use rustix::process::Signal;
use support::{
    api::{json, text},
    sandbox::Sandbox,
    waiting::until,
};

use crate::site::{Site, signed};

#[test]
fn the_stream_has_what_signwave_export_writes_and_says_that_it_is_whole() {
    let sandbox = signed("10000");
    sandbox.sql("INSERT INTO record (external_id, payload) VALUES ('waits', 'x')");
    let site = Site::over(sandbox, "read", &["--roles", "emit"]);
    let all = ["export", "--after", "0"];
    let with_payload = ["export", "--after", "0", "--with-payload"];
    for (query, arguments) in [("", &all[..]), ("?with_payload=true", &with_payload)] {
        let answer = site.get_with(&format!("/v1/signatures{query}"), &[]);
        assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
        let position = answer.headers()["signwave-position"].to_str().unwrap().to_owned();
        let streamed = text(answer);
        let (rows, end) = streamed.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(end, format!(r#"{{"end":true,"position":"{position}","signatures":10000}}"#));
        assert!(rows == site.sandbox.ok(arguments).trim_end(), "{query}");
    }
    let csv = site.get_with("/v1/signatures", &[("accept", "text/csv")]);
    assert!(text(csv) == site.sandbox.ok(&["export", "--after", "0", "--format", "csv"]));
    assert_eq!(site.get_with("/v1/signatures", &[("accept", "text/html")]).status(), 406);
}

#[test]
fn large_payloads_and_batches_without_signatures_come_page_by_page() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--keys", "2", "--records", "60", "--payload-size", "300000"]);
    sandbox.ok(&["sign", "--batch-size", "25"]);
    let site = Site::over(sandbox, "read", &["--roles", "emit", "--batch-size", "1"]);
    site.sandbox.sql(
        "INSERT INTO record (payload) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) \
         SELECT 'x' FROM n",
    );
    until("the rest is batched", Duration::from_secs(60), || {
        site.get("/v1/status")["batches"]["open"] == 100
    });
    let streamed = text(site.get_with("/v1/signatures?with_payload=true", &[]));
    let (rows, end) = streamed.trim_end().rsplit_once('\n').unwrap();
    assert!(end.starts_with(r#"{"end":true,"#) && end.ends_with(r#","signatures":60}"#), "{end}");
    assert!(rows == site.sandbox.ok(&["export", "--after", "0", "--with-payload"]).trim_end());
}

/// Begins an export and reads its head only.
fn begin(site: &Site) -> (TcpStream, String) {
    let address = site.api.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let head = format!(
        "GET /v1/signatures?with_payload=true HTTP/1.1\r\nHost: {address}\r\nAuthorization: {}\r\n\r\n",
        site.bearer()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut first = vec![0; 2000];
    let read = stream.read(&mut first).unwrap();
    (stream, String::from_utf8_lossy(&first[..read]).into_owned())
}

#[test]
fn four_streams_at_a_time_and_a_stop_cuts_off_those_that_nobody_reads() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--keys", "2", "--records", "60", "--payload-size", "1000000"]);
    sandbox.ok(&["sign"]);
    let mut site = Site::over(sandbox, "read", &["--roles", "emit"]);
    let mut streams: Vec<_> = (0..4).map(|_| begin(&site)).collect();
    assert!(streams.iter().all(|(_, head)| head.starts_with("HTTP/1.1 200")), "{streams:?}");
    let fifth = site.get_with("/v1/signatures", &[]);
    assert_eq!((fifth.status().as_u16(), fifth.headers().contains_key("retry-after")), (503, true));
    assert_eq!(json(fifth)["type"], "/problems/overloaded");
    drop(streams.pop());
    until("the place is free again", Duration::from_secs(30), || {
        site.get_with("/v1/signatures", &[]).status() == 200
    });
    site.api.service.signal(Signal::TERM);
    assert_eq!(site.api.service.wait(Duration::from_secs(30)), Some(0));
    for (mut stream, _) in streams {
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest)); // a reset ends it, too
        assert!(!String::from_utf8_lossy(&rest).contains("\"end\":true"), "it was cut off");
    }
}
