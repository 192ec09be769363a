//! A standby that lagged takes over under running nodes: nothing is stored by anybody until the newer server is back.

use std::time::Duration;

use diesel::{
    PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::BigInt,
};
use rustix::process::Signal;
use support::{
    place::Place,
    postgres::{Cluster, Stop},
    process::Running,
    proxy::Proxy,
    store::MINUTE,
    waiting::until,
};

const SIGNED: &str = "SELECT count(*) FROM signature";
const RECORDS: &str = "SELECT count(*) FROM record";
const HALTED: &str =
    "SELECT count(*) FROM ledger WHERE halted LIKE '%the database is older than its anchor%'";
/// What no node changes while the ledger is halted.
const STATE: &str = "SELECT (SELECT count(*) FROM signature) * 1000000 + (SELECT count(*) FROM batch) * 1000 \
                     + (SELECT count(*) FROM batch WHERE state <> 'signed') + (SELECT size FROM ledger)";
/// Until when every node has its lease at least, in microseconds.
const LEASED_UNTIL: &str = "SELECT (extract(epoch FROM min(lease_until)) * 1000000)::bigint FROM node";
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
const INSERT: &str =
    "INSERT INTO record (payload) SELECT sha256(i::text::bytea) FROM generate_series(1, 40) AS i";

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

fn number(sql: &mut PgConnection, query: &str) -> i64 {
    sql_query(format!("SELECT ({query}) AS number")).get_result::<Number>(sql).unwrap().number
}

/// Nodes that find their server behind a proxy.
struct Nodes<'a> {
    place: &'a Place<'a>,
    running: Vec<Running>,
}

impl Nodes<'_> {
    fn start(&mut self, name: &str, anchor: Option<&str>) {
        let serve = [
            "serve",
            "--node-name",
            name,
            "--batch-size",
            "5",
            "--lease-ttl",
            "1s",
            "--lease-grace",
            "200ms",
        ];
        let mut arguments = serve.to_vec();
        arguments.extend(anchor.into_iter().flat_map(|anchor| ["--anchor", anchor]));
        self.running.push(Running::start(self.place.command(&arguments), self.place.log()));
    }

    fn must_run(&mut self) {
        for node in &mut self.running {
            assert!(node.is_running(), "{}", node.log());
        }
    }
}

/// Lets a standby that lags take over from the server that two nodes work on, which have these anchors.
fn fails_over(anchors: [Option<&str>; 2]) {
    let primary = Cluster::start_with("fsync = off");
    let proxy = Proxy::to(primary.port());
    let place = Place::on(&primary, "failover").through(&proxy);
    let database = place.database().to_owned();
    let mut sql = primary.admin(&database);
    let mut nodes = Nodes { place: &place, running: Vec::new() };
    nodes.start("first", anchors[0]);
    nodes.start("second", anchors[1]);
    let signs_all = |sql: &mut PgConnection, nodes: &mut Nodes<'_>| {
        sql.batch_execute(INSERT).unwrap();
        until("all is signed", MINUTE, || {
            nodes.must_run();
            number(sql, RECORDS) == number(sql, SIGNED)
        });
    };
    signs_all(&mut sql, &mut nodes);
    let standby = primary.replica();
    let mut old = standby.admin(&database);
    until("all has arrived", MINUTE, || number(&mut old, SIGNED) == number(&mut sql, SIGNED));
    standby.cut_off();
    signs_all(&mut sql, &mut nodes);
    // Both nodes have seen that by their next heartbeat.
    let lease = Duration::from_secs(1).as_micros() as i64;
    let now = number(&mut sql, NOW);
    until("both nodes have renewed their leases", MINUTE, || number(&mut sql, LEASED_UNTIL) > now + lease);

    drop(sql);
    primary.stop(Stop::Immediate);
    standby.promote();
    old.batch_execute(INSERT).unwrap();
    let before = number(&mut old, STATE);
    proxy.lead_to(standby.port());
    until("the ledger is halted", MINUTE, || number(&mut old, HALTED) == 1);
    nodes.start("third", None);
    until("all nodes say why they wait", MINUTE, || {
        nodes.must_run();
        nodes
            .running
            .iter()
            .all(|node| node.log().contains("cannot") && node.log().contains("the database is older"))
    });
    assert!(place.ok(&["status"]).contains("halted: the database is older than its anchor"));
    // They have tried again and again.
    until("they go on trying", MINUTE, || {
        nodes.must_run();
        nodes.running.iter().all(|node| node.log().matches("cannot").count() > 3)
    });
    let mut third = nodes.running.pop().unwrap();
    third.signal(Signal::TERM);
    assert_eq!(third.wait(MINUTE), Some(0), "{}", third.log());
    assert_eq!(number(&mut old, STATE), before, "nothing was formed, leased or signed");

    primary.restart();
    proxy.lead_to(primary.port());
    proxy.cut();
    signs_all(&mut primary.admin(&database), &mut nodes);
    for anchor in anchors.into_iter().flatten() {
        assert!(place.ok(&["verify", "--anchor", anchor]).contains("problems    none"));
    }
}

#[test]
fn under_a_standby_that_lagged_nodes_store_nothing_and_go_on_with_the_newer_server() {
    fails_over([Some("first.anchor"), Some("second.anchor")]);
}

#[test]
fn without_anchors_the_nodes_that_were_at_work_remember() {
    fails_over([None, None]);
}
