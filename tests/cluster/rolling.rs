//! Nodes are stopped in order and started again, one after the other, as for an upgrade.

use std::time::{Duration, Instant};
use support::{
    postgres::Cluster,
    random::{Random, count},
    waiting::{lasting, until},
};

use crate::site::{Node, Site, number};

#[test]
fn nodes_are_restarted_one_by_one_while_signing_goes_on() {
    let (mut random, rounds) = (Random::new(), count("TEST_RESTARTS", 9));
    let site = Site::new(Cluster::shared(), "rolling", 12, 2048);
    let mut nodes: Vec<Node> = (0..3).map(|node| site.node(&format!("first_{node}"), "20")).collect();
    let mut sql = site.admin();
    // There is always something to sign.
    let more = |sql: &mut _| {
        if number(sql, "SELECT count(*) FROM batch WHERE state = 'open'") < 20 {
            site.insert(1000);
        }
    };
    let (mut longest, first) = (Duration::ZERO, "SELECT count(*) FROM signature");
    site.insert(2000);
    until("signing has begun", Duration::from_secs(20), || number(&mut sql, first) > 0);
    for round in 0..rounds {
        let end = Instant::now() + Duration::from_micros(300_000 + random.below(300_000));
        while Instant::now() < end {
            more(&mut sql);
            lasting(Duration::from_millis(10));
        }
        let (took, _) = nodes.remove(0).stop();
        longest = longest.max(took);
        let held = "SELECT count(*) FROM batch WHERE node_id NOT IN (SELECT id FROM node)";
        assert_eq!(number(&mut sql, held), 0, "it gave back what it held");
        more(&mut sql);
        let signed = number(&mut sql, first);
        until("the others go on", Duration::from_secs(20), || {
            more(&mut sql);
            number(&mut sql, first) > signed
        });
        let node = site.node(&format!("round_{round}"), "20");
        until("the new node works", Duration::from_secs(20), || {
            more(&mut sql);
            number(&mut sql, &format!("SELECT count(*) FROM node WHERE name = '{}'", node.name)) == 1
        });
        nodes.push(node);
    }
    let gap = "SELECT coalesce(max(extract(epoch FROM pause) * 1000), 0)::bigint FROM
         (SELECT signed_at - lag(signed_at) OVER (ORDER BY signed_at) AS pause FROM batch WHERE state = 'signed') AS p";
    let pause = number(&mut sql, gap);
    let epochs = number(&mut sql, "SELECT count(*) FROM batch WHERE epoch > 1");
    site.wait_until_signed(Duration::from_secs(60), &mut nodes.iter_mut().collect::<Vec<_>>());
    site.check_all_signed(nodes);
    println!(
        "measured: {rounds} restarts; the longest pause in signing took {pause} ms, the longest stop {longest:?}; \
         {epochs} batches were given back"
    );
}
