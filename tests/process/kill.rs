//! `kill -9`, again and again.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    random::{Random, count},
    site::{Site, number},
    waiting::until,
};

#[test]
fn killed_at_random_moments_nothing_is_lost_or_signed_twice() {
    let kills = count("TEST_KILLS", 50);
    let mut random = Random::new();
    // RSA-4096 so that there is time to be killed in the middle of signing.
    let site = Site::new(8, 4096, 200);
    let mut sql = site.sql();
    let (mut at_start, mut idle, mut at_work, mut held) = (0, 0, 0, 0);
    let (mut signed, mut stores) = (0, 0);
    for round in 0..kills {
        site.keep_waiting(&mut sql, 100);
        let name = format!("round_{round}");
        let mut process = site.spawn("log", &["serve", "--batch-size", "7", "--node-name", &name]);
        // At once, or when it has registered, holds batches, or has stored some; and a little later.
        let registered = format!("SELECT count(*) FROM node WHERE name = '{name}'");
        let leased =
            format!("SELECT count(*) FROM batch JOIN node ON node.id = node_id WHERE name = '{name}'");
        let stored = format!("SELECT count(*) > {signed} FROM signature");
        let phase = ["SELECT 1", &registered, &leased, &stored][random.below(4) as usize];
        until(phase, Duration::from_secs(20), || {
            assert!(process.is_running(), "round {round}: {}", process.log());
            number(&mut sql, phase) > 0
        });
        random.moment(Duration::from_millis(50));
        process.signal(Signal::KILL);
        assert_eq!(process.wait(Duration::from_secs(5)), None, "killed by the signal");
        // What it left behind says how far it was.
        match (number(&mut sql, &registered), number(&mut sql, &leased)) {
            (0, _) => at_start += 1,
            (_, 0) => idle += 1,
            (_, left) => {
                at_work += 1;
                held += left;
            }
        }
        let before = std::mem::replace(&mut signed, number(&mut sql, "SELECT count(*) FROM signature"));
        stores += usize::from(signed > before);
        let doubles = "SELECT count(*) FROM (SELECT key_id FROM batch WHERE state = 'leased' GROUP BY 1 HAVING count(*) > 1)";
        assert_eq!(number(&mut sql, doubles), 0, "round {round}");
    }
    assert!(held > 0 && stores > 0, "no kill came while a batch was held: this proves nothing");
    site.ok(&["sign", "--batch-size", "7"]);
    site.check_all_signed();
    let records = number(&mut sql, "SELECT count(*) FROM record");
    assert_eq!(number(&mut sql, "SELECT count(*) FROM signature"), records, "one signature for each record");
    // Each lease raises the epoch by one, and so does each end of one that was not signed.
    let reclaimed = number(&mut sql, "SELECT sum(epoch - 1) / 2 FROM batch");
    assert_eq!(reclaimed, held, "every lease that was left behind was reclaimed, and no other was lost");
    // A second implementation verifies all of them, and a third one most.
    site.ok(&["verify", "--verifier", "rsa"]);
    let checked = site.check_with_openssl();
    assert!(checked as i64 == records || checked > 10_000);
    println!(
        "measured: {kills} kills ({at_start} before it had registered, {idle} while it held nothing, {at_work} while it \
         held batches), {stores} of them after it had stored some, {reclaimed} batches \
         reclaimed, {records} records, {checked} signatures checked with openssl"
    );
}

#[test]
fn the_batches_of_a_killed_process_are_open_again_at_once() {
    let site = Site::new(2, 4096, 2000);
    let mut killed = site.spawn("killed", &["serve", "--lease-ttl", "1h"]);
    let mut sql = site.sql();
    until("a batch is held", Duration::from_secs(20), || {
        number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'") > 0
    });
    killed.signal(Signal::KILL);
    killed.wait(Duration::from_secs(5));
    // Its lease would run for an hour: only the file lock tells that it is gone.
    let other = site.spawn("other", &["serve", "--lease-ttl", "1h"]);
    until("the dead process' batches go back", Duration::from_secs(5), || other.log().contains("is dead"));
}
