//! Nodes that are stopped (SIGSTOP) for longer than their lease, and then go on.

use std::time::{Duration, Instant};

use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};
use rustix::process::Signal;
use support::{
    postgres::Cluster,
    random::{Random, count},
    waiting::{lasting, until},
};

use crate::{
    site::{Node, Site, held_by, number},
    watch::Watch,
};

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    epoch: i64,
}

/// A node may be caught inside a transaction. Then others wait until the server ends it, which it does
/// when it has idled for ten seconds.
const TAKEOVER: Duration = Duration::from_secs(20);

/// The server's time, in microseconds.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// How many sessions are at a statement that began before a time.
fn at_work_since_before(time: i64) -> String {
    format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
             AND state = 'active' AND extract(epoch FROM query_start) * 1000000 < {time}"
    )
}

#[test]
fn nodes_that_slept_past_their_leases_store_nothing_that_others_took_over() {
    let (mut random, pauses) = (Random::new(), count("TEST_PAUSES", 20));
    let site = Site::new(Cluster::shared(), "pause", 12, 4096);
    let (mut sql, watch) = (site.admin(), Watch::start(&site));
    let mut nodes: Vec<Node> = (0..3).map(|node| site.node(&format!("node_{node}"), "5")).collect();
    let (mut taken, mut longest) = (Vec::new(), Duration::ZERO);
    for _ in 0..pauses {
        let sleeper = &mut nodes[random.below(3) as usize];
        let name = sleeper.name.clone();
        until("the sleeper holds batches", Duration::from_secs(30), || {
            sleeper.must_run();
            if number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'open'") == 0 {
                site.insert(600);
            }
            held_by(&mut sql, &name) > 0
        });
        random.moment(Duration::from_millis(50));
        sleeper.pause();
        let begun = Instant::now();
        // What it had sent may still arrive. What it holds then is what others must take.
        lasting(Duration::from_millis(300));
        let now = number(&mut sql, NOW);
        until("what had arrived is done", TAKEOVER, || number(&mut sql, &at_work_since_before(now)) == 0);
        let id = number(&mut sql, &format!("SELECT coalesce(max(id), 0) FROM node WHERE name = '{name}'"));
        let held: Vec<Held> =
            sql_query(format!("SELECT id, epoch FROM batch WHERE node_id = {id}")).load(&mut sql).unwrap();
        taken.extend(held);
        until("the sleeper is declared dead", TAKEOVER, || {
            number(&mut sql, &format!("SELECT count(*) FROM node WHERE id = {id}")) == 0
        });
        longest = longest.max(begun.elapsed());
        sleeper.signal(Signal::CONT);
    }
    site.wait_until_signed(Duration::from_secs(60), &mut nodes.iter_mut().collect::<Vec<_>>());
    watch.end();
    for Held { id, epoch } in &taken {
        let now = number(&mut sql, &format!("SELECT epoch FROM batch WHERE id = {id}"));
        assert!(now > *epoch, "batch {id} was stored at epoch {epoch}, which had been taken away");
    }
    let logs: String = nodes.iter().map(Node::log).collect();
    let (fenced, woken) = (logs.matches("fenced: ").count(), logs.matches(" was reclaimed").count());
    site.check_all_signed(nodes);
    assert!(!taken.is_empty() && fenced > 0 && woken > 0, "no pause hurt: this proves nothing\n{logs}");
    println!(
        "measured: in {pauses} pauses {} batches were taken over and {fenced} fenced; the longest takeover took {longest:?}",
        taken.len()
    );
}
