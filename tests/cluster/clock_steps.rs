//! The server's clock, by which leases run, is set an hour forward and back under load, and so are
//! those of the nodes.

use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use rustix::process::Signal;
use support::{
    clock::{Clock, Step},
    postgres::Cluster,
    random::{Random, count},
    waiting::until,
};

use crate::{
    site::{LEASE_GRACE, LEASE_TTL, Node, Site, held_by, number},
    watch::Watch,
};

/// What a takeover may take beyond the lease and the grace, on a machine that is busy: a step back counts
/// the lease anew when somebody looks, which is every third of a lease, and so is the takeover.
const SLACK: Duration = Duration::from_secs(10);

/// Who falls asleep within a transaction is ended by the server, after this.
const IDLE: Duration = Duration::from_secs(3);

const SIGNED: &str = "SELECT count(*) FROM signature";

/// What happens to a node just before a step.
#[derive(Clone, Copy)]
enum Trouble {
    None,
    Killed,
    Asleep,
}

#[test]
fn the_clocks_jump_an_hour_both_ways_and_no_dead_node_is_waited_for_longer() {
    let (mut random, steps) = (Random::new(), count("TEST_STEPS", 6));
    let (mut clock, mut clock_of_nodes) = (Clock::new(), Clock::new());
    let cluster = Cluster::start_in(clock.environment());
    let site = Site::new(&cluster, "clock", 8, 4096);
    let start = |clock: &Clock, name: &str| site.node_in(&clock.environment(), name, "7");
    let mut nodes: Vec<Node> = (0..3).map(|node| start(&clock_of_nodes, &format!("first_{node}"))).collect();
    let (mut sql, watch) = (site.admin(), Watch::start(&site));
    let (mut longest, mut held, mut logs) = (Duration::ZERO, 0, String::new());
    for round in 0..steps {
        let chosen = random.below(3) as usize;
        let name = nodes[chosen].name.clone();
        until("the node holds batches", Duration::from_secs(30), || {
            nodes.iter_mut().for_each(Node::must_run);
            site.keep_waiting(&mut sql, 400);
            held_by(&mut sql, &name) > 0
        });
        random.moment(Duration::from_millis(50));
        let trouble = [Trouble::Asleep, Trouble::Killed, Trouble::None][round / 2 % 3];
        let id = number(&mut sql, &format!("SELECT coalesce(max(id), 0) FROM node WHERE name = '{name}'"));
        match trouble {
            Trouble::None => {}
            Trouble::Asleep => nodes[chosen].pause(),
            Trouble::Killed => {
                logs += &nodes[chosen].log();
                nodes.swap_remove(chosen).kill();
                nodes.push(start(&clock_of_nodes, &format!("round_{round}")));
            }
        }
        let begun = Instant::now();
        clock.step(if round % 2 == 0 { Step::Back } else { Step::Forward });
        clock_of_nodes.step(if random.below(2) == 0 { Step::Back } else { Step::Forward });
        if !matches!(trouble, Trouble::None) {
            held += held_by(&mut sql, &name);
            let idle = if matches!(trouble, Trouble::Asleep) { IDLE } else { Duration::ZERO };
            until("others take what it held", LEASE_TTL + LEASE_GRACE + SLACK + idle, || {
                number(&mut sql, &format!("SELECT count(*) FROM node WHERE id = {id}")) == 0
            });
            longest = longest.max(begun.elapsed());
        }
        if matches!(trouble, Trouble::Asleep) {
            nodes[chosen].signal(Signal::CONT);
        }
        let signed = number(&mut sql, SIGNED);
        site.insert(100);
        until("signing goes on", Duration::from_secs(10), || {
            nodes.iter_mut().for_each(Node::must_run);
            number(&mut sql, SIGNED) > signed
        });
    }
    site.wait_until_signed(Duration::from_secs(60), &mut nodes.iter_mut().collect::<Vec<_>>());
    watch.end();
    logs += &nodes.iter().map(Node::log).collect::<String>();
    let (woken, fenced) = (logs.matches(" was reclaimed").count(), logs.matches("fenced: ").count());
    let records = site.check_all_signed(nodes);
    assert!(held > 0 && woken > 0, "nobody lost a lease: this proves nothing\n{logs}");
    println!(
        "measured: {steps} steps of an hour, {held} batches of dead nodes taken over, {woken} leases of living ones \
         lost, {fenced} batches fenced, {records} records; the longest takeover took {longest:?}"
    );
}

#[test]
fn a_node_that_froze_in_a_transaction_before_the_clock_was_set_back_holds_up_nobody() {
    // Choosing keys, which nobody else can then; and renewing its lease.
    let choosing = "SELECT FROM node FOR KEY SHARE; SELECT pg_advisory_xact_lock(x'7369676e'::int, 2)";
    let renewing = "UPDATE node SET lease_until = clock_timestamp() + '1s' WHERE name = 'frozen'";
    for frozen_in in [choosing, renewing] {
        let mut clock = Clock::new();
        let cluster = Cluster::start_in(clock.environment());
        let site = Site::new(&cluster, "frozen", 2, 2048);
        let mut frozen = PgConnection::establish(&site.url).unwrap();
        let register = "INSERT INTO node (name, lease_until, lease_ttl, custodians) VALUES ('frozen', clock_timestamp() + '1s', 1000, '')";
        frozen.batch_execute(register).unwrap();
        // The server would end it after three seconds, but for the step.
        let begin = "SET idle_in_transaction_session_timeout = '3s'; BEGIN";
        frozen.batch_execute(&format!("{begin}; {frozen_in}")).unwrap();
        clock.step(Step::Back);
        site.insert(10);
        let mut node = site.node("node", "5");
        site.wait_until_signed(LEASE_TTL + IDLE + SLACK, &mut [&mut node]);
        // It waits for the frozen one to be gone, too.
        site.check_all_signed([node]);
    }
}
