//! The machine's clock is set an hour forward and back while processes sign: leases are by that clock.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use rustix::process::Signal;
use support::{
    clock::{Clock, Step},
    process::Running,
    random::{Random, count},
    site::{Site, number},
    waiting::until,
};

const TTL: Duration = Duration::from_secs(1);

/// What a takeover may take beyond the lease, on a machine that is busy: a step back counts it anew
/// when somebody looks, which is every third of a lease, and so is the takeover.
const SLACK: Duration = Duration::from_secs(10);

const UNSIGNED: &str = "SELECT count(*) FROM record WHERE id NOT IN (SELECT record_id FROM signature)";
const DOUBLES: &str = "SELECT count(*) FROM
     (SELECT key_id FROM batch WHERE state = 'leased' GROUP BY 1 HAVING count(*) > 1)";

#[test]
fn the_clock_jumps_an_hour_both_ways_and_no_process_that_sleeps_is_waited_for_longer() {
    let (mut random, steps) = (Random::new(), count("TEST_STEPS", 4));
    let mut clock = Clock::new();
    let site = Site::new(6, 4096, 0);
    let mut sql = site.sql();
    let mut processes = NAMES.map(|name| serve(&site, &clock, name));
    let (mut slept, mut locked, mut longest) = (0, 0, Duration::ZERO);
    let mut round = 0;
    while round < steps {
        let (asleep, awake) = if random.below(2) == 0 { (0, 1) } else { (1, 0) };
        until("it holds batches", Duration::from_secs(30), || {
            processes.iter_mut().for_each(|process| assert!(process.is_running(), "{}", process.log()));
            site.keep_waiting(&mut sql, 400);
            number(&mut sql, &held_by(asleep)) > 0
        });
        random.moment(Duration::from_millis(50));
        processes[asleep].pause();
        let node = number(
            &mut sql,
            &format!("SELECT coalesce(max(id), 0) FROM node WHERE name = '{}'", NAMES[asleep]),
        );
        // Whoever sleeps in a transaction holds up everybody: there is no takeover from that.
        if is_locked(&site) {
            processes[asleep].signal(Signal::CONT);
            locked += 1;
            assert!(locked < 60 + steps, "it always sleeps in a transaction");
            continue;
        }
        let (begun, step) = (Instant::now(), if round % 2 == 0 { Step::Back } else { Step::Forward });
        clock.step(step);
        until("another takes its batches", TTL + SLACK, || {
            assert_eq!(number(&mut sql, DOUBLES), 0, "a key is in two batches at once");
            number(&mut sql, &format!("SELECT count(*) FROM node WHERE id = {node}")) == 0
        });
        longest = longest.max(begun.elapsed());
        slept += 1;
        processes[asleep].signal(Signal::CONT);
        let signed = number(&mut sql, "SELECT count(*) FROM signature");
        site.insert(100);
        until("signing goes on", Duration::from_secs(10), || {
            assert!(processes[awake].is_running(), "{}", processes[awake].log());
            number(&mut sql, "SELECT count(*) FROM signature") > signed
        });
        round += 1;
    }
    until("everything is signed", Duration::from_secs(60), || number(&mut sql, UNSIGNED) == 0);
    let logs: String = processes.iter().map(Running::log).collect();
    for mut process in processes {
        process.signal(Signal::TERM);
        assert_eq!(process.wait(Duration::from_secs(5)), Some(0), "{}", process.log());
    }
    site.check_all_signed();
    let records = number(&mut sql, "SELECT count(*) FROM record");
    assert_eq!(number(&mut sql, "SELECT sum(signature_count) FROM signing_key"), records, "each stored once");
    let (woken, fenced) = (logs.matches(" was reclaimed").count(), logs.matches("fenced: ").count());
    assert!(woken > 0, "nobody lost a lease: this proves nothing");
    println!(
        "measured: {steps} steps of an hour past {slept} sleepers, {woken} leases lost, {fenced} batches fenced, \
         {records} records; the longest takeover took {longest:?}"
    );
}

const NAMES: [&str; 2] = ["one", "other"];

fn serve(site: &Site, clock: &Clock, name: &str) -> Running {
    let ttl = format!("{TTL:?}");
    let arguments =
        ["serve", "--batch-size", "5", "--node-name", name, "--lease-ttl", &ttl, "--lease-grace", "0s"];
    let mut command = site.command(&arguments);
    command.envs(clock.environment());
    Running::start(command, site.path(name))
}

fn held_by(process: usize) -> String {
    format!(
        "SELECT count(*) FROM batch JOIN node ON node.id = node_id WHERE state = 'leased' AND name = '{}'",
        NAMES[process]
    )
}

/// Whether somebody holds the write lock for good, and not for as long as commits take on a busy disk.
fn is_locked(site: &Site) -> bool {
    let mut sql = site.sql();
    sql.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
    sql.batch_execute("BEGIN IMMEDIATE; ROLLBACK").is_err()
}
