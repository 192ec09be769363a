//! Debezium on the feed, as packaging/debezium sets it up: its PostgreSQL connector, in its own engine, without Kafka. It needs
//! 200 MB and Java, so that only `scripts/torture` runs it (`TEST_DEBEZIUM=1 scripts/install-tools` brings both).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, process::Command, time::Duration};

use serde_json::Value;
use support::{
    place::Place,
    postgres::Cluster,
    process::{Running, tool},
    random::{Random, count},
    root,
    sandbox::succeeded,
    waiting::{lasting, until},
};

/// A virtual machine of Java starts within this time, also on a busy machine.
const SOON: Duration = Duration::from_secs(120);

/// Signed by several nodes at the same time, in small batches.
const SERVE: [&str; 5] = ["serve", "--listen", "none", "--batch-size", "5"];

/// A database that Debezium may capture, and what it has captured so far.
struct Capture<'a> {
    place: Place<'a>,
    cluster: &'a Cluster,
}

impl<'a> Capture<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        let place = Place::on(cluster, "captured");
        let admin = format!("host={} port={} user=postgres", cluster.folder().display(), cluster.port());
        let psql = |arguments: &[&str]| {
            let mut psql = Command::new("psql");
            psql.args([
                "-q",
                "-X",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                &format!("{admin} dbname={}", place.database()),
            ]);
            succeeded(&psql.args(arguments).output().unwrap());
        };
        psql(&["-f", root().join("packaging/debezium/feed.sql").to_str().unwrap()]);
        psql(&["-c", "ALTER ROLE signwave_debezium PASSWORD 'captured'"]);
        Self { place, cluster }
    }

    /// Starts Debezium, which goes on where it was.
    fn start(&self) -> Running {
        let mut engine = Command::new("python3");
        engine
            .arg(root().join("tests/debezium/engine.py"))
            .arg(root().join("packaging/debezium/connector.json"));
        engine.arg(self.place.sandbox.path("")).args([
            &self.cluster.port().to_string(),
            self.place.database(),
            "captured",
        ]);
        engine.env("PYTHONPATH", tool("debezium")).env("PYTHONDONTWRITEBYTECODE", "1");
        // It writes a log into the folder in which it runs.
        engine.current_dir(self.place.sandbox.path(""));
        Running::start(engine, self.place.log())
    }

    /// Starts a node.
    fn serve(&self) -> Running {
        Running::start(self.place.command(&SERVE), self.place.log())
    }

    /// The events of the feed, in the order in which they came. A line that is cut off was never confirmed.
    fn events(&self) -> Vec<(i64, i64)> {
        let text = fs::read_to_string(self.place.sandbox.path("events")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let events = whole.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_feed = events.filter(|event| match event["topic"].as_str().unwrap() {
            "signwave.public.feed" => true,
            "__debezium-heartbeat.signwave" => false,
            _ => panic!("nothing else is captured: {event}"),
        });
        let number =
            |event: &Value, name: &str| event["value"][name].as_i64().unwrap_or_else(|| panic!("{event}"));
        of_feed.map(|event| (number(&event, "position"), number(&event, "batch_id"))).collect()
    }

    /// What a consumer has who skips every position that is not behind the last one. The next one has no gap before it.
    fn consumed(&self) -> Vec<(i64, i64)> {
        let mut kept: Vec<(i64, i64)> = Vec::new();
        for (position, batch) in self.events() {
            match kept.get(position as usize - 1) {
                Some(known) => assert_eq!(*known, (position, batch), "what comes again is the same"),
                None => {
                    assert_eq!(position, kept.len() as i64 + 1, "positions arrive in order, without gaps");
                    kept.push((position, batch));
                }
            }
        }
        kept
    }

    /// Waits until the consumer has the whole feed.
    fn until_captured(&self) {
        let last = || self.place.number("SELECT coalesce(max(position), 0) FROM feed");
        until("the feed is captured", SOON, || self.consumed().len() as i64 == last());
        let feed =
            self.place.rows("SELECT position AS number, batch_id::text AS text FROM feed ORDER BY position");
        let feed: Vec<_> = feed.iter().map(|row| (row.number, row.text.parse().unwrap())).collect();
        assert_eq!(self.consumed(), feed);
    }

    fn until_signed(&self) {
        until("all is signed", SOON, || {
            self.place.number("SELECT count(*) FROM record")
                == self.place.number("SELECT count(*) FROM signed_record WHERE position IS NOT NULL")
        });
    }
}

#[test]
fn killed_at_random_moments_debezium_gives_each_position_in_order() {
    let cluster = Cluster::start_with("wal_level = logical");
    let capture = Capture::new(&cluster);
    let place = &capture.place;
    place.ok(&["seed", "--keys", "4", "--records", "200"]);
    let nodes = [capture.serve(), capture.serve()];
    capture.until_signed();
    // What was there before comes in order, too.
    let mut engine = capture.start();
    until("the snapshot has come", SOON, || !capture.consumed().is_empty());
    let (mut random, mut records) = (Random::new(), 200);
    for _ in 0..count("TEST_KILLS", 3) {
        records += 200;
        place.ok(&["seed", "--records", &records.to_string()]);
        lasting(Duration::from_millis(random.below(6000)));
        drop(engine);
        engine = capture.start();
    }
    capture.until_signed();
    capture.until_captured();
    // What a consumer reads for each event.
    let of_events = capture.consumed().into_iter().map(|(position, _)| {
        place.number(&format!("SELECT count(*) FROM signed_record WHERE position = {position}"))
    });
    assert_eq!(of_events.sum::<i64>(), records as i64);
    drop((engine, nodes));
}

#[test]
fn while_nothing_is_signed_the_slot_keeps_no_log() {
    let cluster = Cluster::start_with("wal_level = logical");
    let capture = Capture::new(&cluster);
    let place = &capture.place;
    place.ok(&["seed", "--keys", "1", "--records", "50"]);
    place.ok(&["sign"]);
    let engine = capture.start();
    capture.until_captured();
    let kept = || {
        place.number(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint FROM pg_replication_slots \
             WHERE slot_name = 'signwave_feed'",
        )
    };
    let begun = place.number("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint");
    place.ok(&["seed", "--records", "20000"]);
    let written = place.number("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint") - begun;
    assert!(written > 1_000_000, "{written}");
    until("the slot has gone on", SOON, || kept() < written / 10);
    drop(engine);
}
