//! The server crashes, and ends connections, under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use support::{
    postgres::{Cluster, Stop, database_of},
    random::{Random, count},
    waiting::{lasting, until},
};

use crate::site::{Node, Site, number};

#[test]
fn a_server_that_crashes_and_ends_connections_stops_no_node_and_loses_nothing() {
    let (mut random, crashes) = (Random::new(), count("TEST_CRASHES", 20));
    let cluster = Cluster::start();
    let site = Site::new(&cluster, "crash", 12, 2048);
    let mut nodes: Vec<Node> = (0..3).map(|node| site.node(&format!("node_{node}"), "20")).collect();
    let (mut terminated, mut longest, writer) = (0, Duration::ZERO, Writer::start(&site));
    for _ in 0..crashes {
        random.moment(Duration::from_millis(250));
        terminated += cluster.terminate_backends(database_of(&site.url));
        random.moment(Duration::from_millis(250));
        cluster.stop(Stop::Immediate);
        random.moment(Duration::from_millis(200));
        cluster.restart();
        let (restarted, mut sql) = (Instant::now(), site.admin());
        let signed = number(&mut sql, SIGNED);
        until("signing goes on", Duration::from_secs(20), || {
            nodes.iter_mut().for_each(Node::must_run);
            number(&mut sql, SIGNED) > signed
        });
        longest = longest.max(restarted.elapsed());
    }
    let written = writer.end();
    site.wait_until_signed(Duration::from_secs(60), &mut nodes.iter_mut().collect::<Vec<_>>());
    // What was confirmed to the writer is there; what was not, may be.
    let records = site.check_all_signed(nodes);
    assert!(records >= written && written > 0, "{written} were confirmed, {records} are there");
    let named = number(&mut site.admin(), "SELECT count(DISTINCT payload) FROM record");
    assert_eq!(named, records, "no record was taken for another");
    println!(
        "measured: {crashes} crashes, {terminated} connections ended, {records} records; \
         signing went on {longest:?} after a restart at the latest"
    );
}

const SIGNED: &str = "SELECT count(*) FROM signature";

/// Inserts records all the time, as well as it can.
struct Writer {
    ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<i64>,
}

impl Writer {
    fn start(site: &Site<'_>) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let (stop, url) = (Arc::clone(&ended), site.url.clone());
        let thread = thread::spawn(move || {
            let (mut written, mut connection) = (0, None);
            for round in 0.. {
                if stop.load(Relaxed) {
                    break;
                }
                let insert = format!(
                    "INSERT INTO record (payload) SELECT ('{round}-' || i)::bytea FROM generate_series"
                );
                let sql = connection.take().or_else(|| PgConnection::establish(&url).ok());
                if let Some(mut sql) = sql
                    && sql.batch_execute(&format!("{insert}(1, 20) AS i")).is_ok()
                {
                    written += 20;
                    connection = Some(sql);
                }
                lasting(Duration::from_millis(10));
            }
            written
        });
        Self { ended, thread }
    }

    /// How many records it was told are there.
    fn end(self) -> i64 {
        self.ended.store(true, Relaxed);
        self.thread.join().unwrap()
    }
}
