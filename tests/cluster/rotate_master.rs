//! The master key is changed while several nodes sign.

use std::time::{Duration, Instant};

use support::{clock::HOUR, postgres::Cluster, random::count, waiting::until};

use crate::site::{Node, Site, number};

#[test]
fn the_master_key_is_changed_under_nodes_that_sign_and_no_batch_fails() {
    let changes = count("TEST_CHANGES", 2);
    let mut site = Site::new(Cluster::shared(), "rotate_master", 12, 2048);
    site.lease_ttl = HOUR;
    let mut nodes: Vec<Node> = (0..2).map(|node| site.node(&format!("node_{node}"), "20")).collect();
    let mut sql = site.admin();
    site.insert(200);
    until("signing has begun", Duration::from_secs(20), || {
        number(&mut sql, "SELECT count(*) FROM signature") > 0
    });
    let mut longest = Duration::ZERO;
    for _ in 0..changes {
        site.insert(1000);
        let begun = Instant::now();
        site.ok(&["keys", "rotate-master"]);
        longest = longest.max(begun.elapsed());
        site.ok(&["keys", "generate", "--count", "4"]);
        site.insert(1000);
        site.wait_until_signed(Duration::from_secs(60), &mut nodes.iter_mut().collect::<Vec<_>>());
        site.take_over_next_master_key();
    }
    let under = "SELECT count(DISTINCT substring(sealed_key FROM 2 FOR 8)) FROM signing_key";
    assert_eq!(number(&mut sql, under), 1);
    assert_eq!(number(&mut sql, "SELECT count(*) FROM signing_key WHERE state <> 'active'"), 0);
    let logs: String = nodes.iter().map(Node::log).collect();
    assert!(!logs.contains("failed: "), "{logs}");
    assert_eq!(number(&mut sql, "SELECT count(*) FROM batch WHERE epoch <> 1"), 0, "{logs}");
    assert_eq!(
        number(&mut sql, "SELECT count(*) FROM api_audit WHERE action = 'master.rotate'"),
        changes as i64
    );
    let records = site.check_all_signed(nodes);
    println!("measured: {changes} changes under {records} records, of which the longest took {longest:?}");
}
