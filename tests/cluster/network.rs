//! The network between nodes and the server fails.

use std::time::Duration;
use support::{
    clock::HOUR,
    postgres::{Cluster, at_port},
    proxy::{Loss, Mode, Proxy},
    random::{Random, count},
    waiting::{lasting, until},
};

use crate::{
    site::{LEASE_GRACE, LEASE_TTL, Node, Site, held_by, number},
    watch::Watch,
};

/// What the transactions that store signatures have in their SQL, and no others.
const STORING: &str = "COPY \"signature\"";

#[test]
fn an_answer_to_commit_that_is_lost_is_read_back_and_nothing_is_signed_again() {
    let losses = count("TEST_LOSSES", 20);
    let mut site = Site::new(Cluster::shared(), "lost", 8, 2048);
    site.lease_ttl = HOUR;
    let proxy = Proxy::to(site.cluster.port());
    let mut sql = site.admin();
    let mut node = site.node_at(&at_port(&site.url, proxy.port()), "node", "10");
    for round in 0..losses {
        let lost = |loss| if loss == Loss::Answer { proxy.lost().1 } else { proxy.lost().0 };
        // Mostly the answer, and now and then the COMMIT itself, which must be sent again.
        let loss = if round % 4 == 3 { Loss::Request } else { Loss::Answer };
        let before = lost(loss);
        proxy.lose(loss, 1, STORING);
        site.insert(100);
        site.wait_until_signed(Duration::from_secs(20), &mut [&mut node]);
        assert_eq!(lost(loss), before + 1, "round {round}: no COMMIT was lost, this proves nothing");
    }
    let records = number(&mut sql, "SELECT count(*) FROM record");
    let epochs = number(&mut sql, "SELECT coalesce(max(epoch), 0) FROM batch");
    let (_, log) = node.stop();
    assert!(!log.contains("fenced: "), "what was stored was sent again, or signed again:\n{log}");
    // By its own count it has stored each record once, and knows of every one.
    assert!(log.contains(&format!("signed {records} records")), "of {records}:\n{log}");
    assert_eq!(epochs, 1, "a batch was leased again, though nobody had lost its lease:\n{log}");
    site.check_all_signed([]);
    println!("measured: {losses} COMMITs or answers lost, {records} records");
}

#[test]
fn any_commit_may_be_lost() {
    let losses = count("TEST_LOSSES", 20);
    let mut random = Random::new();
    let site = Site::new(Cluster::shared(), "any", 8, 2048);
    let proxy = Proxy::to(site.cluster.port());
    let mut node = site.node_at(&at_port(&site.url, proxy.port()), "node", "10");
    let mut sql = site.admin();
    let watch = Watch::start(&site);
    for _ in 0..losses {
        site.keep_waiting(&mut sql, 200);
        let loss = if random.below(2) == 0 { Loss::Answer } else { Loss::Request };
        proxy.lose(loss, 1 + random.below(4) as usize, "");
        random.moment(Duration::from_millis(300));
        node.must_run();
    }
    site.wait_until_signed(Duration::from_secs(60), &mut [&mut node]);
    let (requests, answers) = proxy.lost();
    assert!(requests > 0 && answers > 0, "no COMMIT was lost: this proves nothing");
    watch.end();
    proxy.lose(Loss::Answer, 0, "");
    site.check_all_signed([node]);
    println!("measured: {requests} COMMITs and {answers} answers lost");
}

#[test]
fn nodes_that_are_cut_off_slow_or_in_a_black_hole_are_replaced_and_come_back() {
    let (mut random, rounds) = (Random::new(), count("TEST_PARTITIONS", 8));
    let site = Site::new(Cluster::shared(), "network", 12, 2048);
    let proxy = Proxy::to(site.cluster.port());
    let mut sql = site.admin();
    let mut nodes = vec![
        site.node_at(&at_port(&site.url, proxy.port()), "far", "20"),
        site.node("near_1", "20"),
        site.node("near_2", "20"),
    ];
    let (watch, mut cut, mut taken) = (Watch::start(&site), 0, 0);
    for round in 0..rounds {
        site.insert(2000);
        until("the far node holds batches", Duration::from_secs(30), || {
            nodes[0].must_run();
            if number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'open'") == 0 {
                site.insert(500);
            }
            held_by(&mut sql, "far") > 0
        });
        random.moment(Duration::from_millis(50));
        match round % 4 {
            0 => cut += proxy.cut(),
            1 => {
                proxy.set(Mode::Delay(Duration::from_millis(50)));
                lasting(Duration::from_secs(1));
            }
            2 => {
                // Longer than its lease. What it sent before arrives afterwards, when it is dead.
                proxy.set(Mode::Hold);
                let id = number(&mut sql, "SELECT coalesce(max(id), 0) FROM node WHERE name = 'far'");
                lasting(LEASE_TTL + LEASE_GRACE);
                until("the far node is declared dead", Duration::from_secs(25), || {
                    number(&mut sql, &format!("SELECT count(*) FROM node WHERE id = {id}")) == 0
                });
                taken += 1;
            }
            _ => {
                proxy.set(Mode::Refuse);
                cut += proxy.cut();
                lasting(LEASE_TTL + LEASE_GRACE);
            }
        }
        proxy.set(Mode::Forward);
    }
    site.insert(1000);
    site.wait_until_signed(Duration::from_secs(90), &mut nodes.iter_mut().collect::<Vec<_>>());
    until("the far node is back", Duration::from_secs(60), || {
        nodes[0].must_run();
        number(&mut sql, "SELECT count(*) FROM node WHERE name = 'far' AND lease_until > clock_timestamp()")
            == 1
    });
    assert!(watch.end().together > 0 && cut > 0 && (taken > 0 || rounds < 3));
    let logs: String = nodes.iter().map(Node::log).collect();
    site.check_all_signed(nodes);
    let fenced = logs.matches("fenced: ").count();
    println!(
        "measured: {rounds} disturbances, {cut} connections cut, {taken} black holes, {fenced} batches fenced"
    );
}
