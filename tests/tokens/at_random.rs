//! A token that is lost again and again, in every way, while it signs.

use std::{
    fs,
    time::{Duration, Instant},
};

use diesel::SqliteConnection;
use rustix::process::{Pid, Signal, kill_process};
use support::{
    process::Running,
    random::{Random, count},
    site::{Site, number},
    tokens::{Server, Token},
    waiting::until,
};

use crate::{
    outages::{BACK, SOON},
    site::hosts,
};

/// How long an operation of the token may take here.
const TIMEOUT: Duration = Duration::from_secs(1);

#[test]
fn lost_at_random_moments_a_token_loses_no_record_and_blames_no_key() {
    let (mut random, losses) = (Random::new(), count("TEST_LOSSES", 12));
    let site = Site::empty();
    let token = Token::softhsm(site.folder());
    let mut server = Server::start(&token, site.folder());
    let more = format!("sessions = 2\ntimeout = '{}s'", TIMEOUT.as_secs());
    fs::write(site.path("signwave.toml"), server.token.section("hsm", &more)).unwrap();
    site.ok(&["migrate"]);
    site.ok(&["keys", "generate", "--custodian", "hsm", "--count", "4"]);
    let mut sql = site.sql();
    let mut service = site.spawn("log", &["serve", "--listen", "none", "--batch-size", "7"]);
    let (mut at_work, mut in_time, mut longest) = (0, 0, Duration::ZERO);
    for loss in 0..losses {
        site.keep_waiting(&mut sql, 150);
        signs(&mut sql, &service);
        random.moment(Duration::from_millis(200));
        at_work += usize::from(number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'") > 0);
        // The first five are one of each.
        let way = if loss < 5 { loss as u64 } else { random.below(5) };
        let mut limit = BACK;
        match way {
            0 => signal(&service, Signal::KILL),
            1 => {
                signal(&service, Signal::STOP);
                limit += TIMEOUT;
            }
            2 => {
                fs::rename(&token.storage, site.path("away")).unwrap();
                random.moment(Duration::from_millis(1500));
                fs::rename(site.path("away"), &token.storage).unwrap();
            }
            3 => {
                server.pause();
                random.moment(2 * TIMEOUT);
                server.resume();
                limit += TIMEOUT; // an attempt to open it may have begun with a process that hangs now
            }
            _ => {
                server.kill();
                random.moment(Duration::from_millis(1500));
                server.restart();
            }
        }
        let back = Instant::now();
        site.keep_waiting(&mut sql, 150);
        signs(&mut sql, &service);
        let took = back.elapsed();
        println!("loss {loss} in way {way}: it signed again after {took:?}");
        in_time += usize::from(took < limit);
        longest = longest.max(took);
    }
    // While the machine stands still, nothing signs.
    assert!(in_time > losses / 2, "it signed again in time {in_time} times only\n{}", service.log());
    assert!(at_work > 0, "it was never lost while a batch was held: this proves nothing");
    until("all is signed", SOON, || {
        number(&mut sql, "SELECT (SELECT count(*) FROM record) - (SELECT count(*) FROM signature)") == 0
    });
    let blamed = number(&mut sql, "SELECT count(*) FROM signing_key WHERE state <> 'active'");
    assert_eq!(blamed, 0, "{}", service.log());
    service.signal(Signal::TERM);
    assert_eq!(service.wait(SOON), Some(0));
    site.check_all_signed();
    let records = number(&mut sql, "SELECT count(*) FROM record");
    assert_eq!(number(&mut sql, "SELECT count(*) FROM signature"), records, "one signature for each record");
    let verified = site.check_with_openssl();
    println!(
        "measured: {losses} losses, {at_work} while batches were held; {records} records, {verified} verified by openssl; \
         the longest way back took {longest:?}"
    );
}

/// Waits for a batch that is leased and stored from now on.
fn signs(sql: &mut SqliteConnection, service: &Running) {
    let now = number(sql, "SELECT CAST(1000 * unixepoch('now', 'subsec') AS INTEGER)");
    let stored = format!(
        "SELECT count(*) FROM batch WHERE state = 'signed' AND 1000 * unixepoch(leased_at, 'subsec') > {now}"
    );
    let begun = Instant::now();
    until("the token signs", SOON, || {
        assert!(begun.elapsed() < SOON, "it does not sign:\n{}", service.log());
        number(sql, &stored) > 0
    });
}

/// Signals the process that holds the token, if there is one now.
fn signal(service: &Running, signal: Signal) {
    if let Some(host) = hosts(service).first() {
        let _ = kill_process(Pid::from_raw(*host as i32).unwrap(), signal); // it may have ended
    }
}
