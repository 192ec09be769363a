//! `kill -9` of random nodes.

use std::time::{Duration, Instant};
use support::{
    postgres::Cluster,
    random::{Random, count},
    waiting::until,
};

use crate::{
    site::{LEASE_GRACE, LEASE_TTL, Node, Site, held_by, number},
    watch::Watch,
};

/// What a takeover may take beyond the lease and the grace: the others look every third of a lease, on
/// a machine that is busy.
const SLACK: Duration = Duration::from_secs(5);

/// The same for single ones, because the machine may stand still.
const STANDSTILL: Duration = Duration::from_secs(60);

#[test]
fn killed_at_random_moments_nodes_lose_nothing_and_are_replaced_in_time() {
    let (mut random, kills) = (Random::new(), count("TEST_KILLS", 50));
    // RSA-4096 so that there is time to be killed in the middle of signing.
    let site = Site::new(Cluster::shared(), "kill", 12, 4096);
    let (mut sql, watch) = (site.admin(), Watch::start(&site));
    let mut nodes: Vec<Node> = (0..3).map(|node| site.node(&format!("first_{node}"), "7")).collect();
    let (mut dead, mut at_work, mut times) = (Vec::new(), 0, Vec::new());
    // On a busy machine, those that come later may be killed before they work beside others.
    until("nodes work at the same time", Duration::from_secs(60), || {
        site.keep_waiting(&mut sql, 400);
        number(&mut sql, "SELECT count(DISTINCT node_id) FROM batch WHERE state = 'leased'") > 1
    });
    for round in 0..kills {
        // Enough for all of them.
        site.keep_waiting(&mut sql, 400);
        random.moment(Duration::from_millis(200));
        let killed = nodes.swap_remove(random.below(3) as usize);
        let name = killed.name.clone();
        killed.kill();
        at_work += usize::from(held_by(&mut sql, &name) > 0);
        dead.push((name, Instant::now()));
        nodes.push(site.node(&format!("round_{round}"), "7"));
        buried(&mut dead, &mut times, &mut |name| {
            number(&mut sql, &format!("SELECT count(*) FROM node WHERE name = '{name}'")) == 0
        });
    }
    assert!(at_work > 0, "no kill came while a batch was held: this proves nothing");
    until("the dead are gone", Duration::from_secs(60), || {
        buried(&mut dead, &mut times, &mut |name| {
            number(&mut sql, &format!("SELECT count(*) FROM node WHERE name = '{name}'")) == 0
        });
        dead.is_empty()
    });
    site.wait_until_signed(Duration::from_secs(60), &mut nodes.iter_mut().collect::<Vec<_>>());
    let together = watch.end().together;
    let records = site.check_all_signed(nodes);
    // A second implementation verifies, too.
    site.ok(&["verify", "--verifier", "rsa"]);
    let reclaimed = number(&mut sql, "SELECT coalesce(sum(epoch - 1) / 2, 0)::bigint FROM batch");
    println!(
        "measured: {kills} kills, {at_work} of them while batches were held; {reclaimed} batches reclaimed, {records} \
         records; seen at work together {together} times; the takeovers took {times:?}"
    );
    times.sort();
    assert!(times[kills / 2] < LEASE_TTL + LEASE_GRACE + SLACK, "half of them took too long: {times:?}");
}

/// Forgets those who are gone from the database, none of whom may have taken too long.
fn buried(dead: &mut Vec<(String, Instant)>, times: &mut Vec<Duration>, gone: &mut impl FnMut(&str) -> bool) {
    dead.retain(|(name, killed_at)| {
        let gone = gone(name);
        let took = killed_at.elapsed();
        assert!(
            took < LEASE_TTL + LEASE_GRACE + SLACK + STANDSTILL,
            "{name} is dead for {took:?}, and still has its lease"
        );
        if gone {
            times.push(took);
        }
        !gone
    });
}
