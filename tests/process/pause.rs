//! A process that is stopped (SIGSTOP) for longer than its lease, and then goes on.

use std::time::Duration;

use rustix::process::Signal;
use support::{
    random::Random,
    site::{Site, number},
    waiting::{lasting, until},
};

/// The shortest lease there is.
const LEASE: [&str; 4] = ["--lease-ttl", "1s", "--lease-grace", "0s"];

#[test]
fn a_process_that_slept_past_its_lease_is_fenced_and_works_on() {
    let mut random = Random::new();
    let site = Site::new(12, 2048, 0);
    let mut sql = site.sql();
    let serve = |name: &str| {
        let arguments = ["serve", "--batch-size", "5", "--node-name", name];
        site.spawn(name, &[&arguments[..], &LEASE].concat())
    };
    let mut sleeper = serve("sleeper");
    // It may be caught while it holds no finished batch, or holds the database itself: again, then.
    for round in 1.. {
        assert!(round <= 60, "in 60 pauses the fence never fired:\n{}", sleeper.log());
        site.insert(3000);
        until("the sleeper holds batches", Duration::from_secs(20), || {
            assert!(sleeper.is_running(), "{}", sleeper.log());
            number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'") > 0
        });
        random.moment(Duration::from_millis(30));
        sleeper.pause();
        let mut taker = serve("taker");
        // The sleeper's process lives, its file lock is held: only its lease tells.
        let waited = (0..200).find(|_| {
            lasting(Duration::from_millis(20));
            taker.log().contains("(sleeper) is dead")
        });
        sleeper.signal(Signal::CONT);
        until("everything is signed", Duration::from_secs(30), || {
            number(&mut sql, "SELECT count(*) FROM record WHERE id NOT IN (SELECT record_id FROM signature)")
                == 0
        });
        taker.signal(Signal::TERM);
        assert_eq!(taker.wait(Duration::from_secs(5)), Some(0));
        if waited.is_some() && sleeper.log().contains("fenced: ") {
            println!("measured: the fence fired in round {round}");
            break;
        }
    }
    // It carries on, under a new name in the database.
    site.insert(500);
    until("the sleeper signs again", Duration::from_secs(20), || {
        number(&mut sql, "SELECT count(*) FROM record WHERE id NOT IN (SELECT record_id FROM signature)") == 0
    });
    assert!(sleeper.log().contains("was reclaimed"), "{}", sleeper.log());
    sleeper.signal(Signal::TERM);
    assert_eq!(sleeper.wait(Duration::from_secs(5)), Some(0));
    site.check_all_signed();
}
