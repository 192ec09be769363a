//! `kill -9` of processes that write anchors: nothing is taken for older than it is, and nothing was shown that no anchor has.

use std::{ops::Range, time::Duration};

use rustix::process::Signal;
use support::{
    random::{Random, count},
    site::{Site, number},
    waiting::until,
};

const SIGNATURES: &str = "SELECT count(*) FROM signature";

/// Both anchors of each process.
const ANCHORS: [&str; 4] = ["--anchor", "first", "--anchor", "second"];

/// Kills of one database. After each of them everything is verified, which takes longer with each record.
const KILLS: usize = 50;

#[test]
fn killed_at_random_moments_a_database_is_never_taken_for_an_older_one() {
    let (kills, mut random) = (count("TEST_KILLS", 15), Random::new());
    let (mut stores, mut unsettled) = (0, 0);
    for first in (0..kills).step_by(KILLS) {
        let seen = kill(first..kills.min(first + KILLS), &mut random);
        (stores, unsettled) = (stores + seen.0, unsettled + seen.1);
    }
    assert!(stores > 0, "no kill came after a commit: this proves nothing");
    println!(
        "measured: {kills} kills, {stores} of them after it had stored some, {unsettled} of them left a commit whose outcome no \
         anchor had"
    );
}

/// Kills processes of one database in turn. Returns after how many kills it had more signatures, and how many left a commit
/// whose outcome an anchor does not have.
fn kill(rounds: Range<usize>, random: &mut Random) -> (usize, usize) {
    let site = Site::new(4, 2048, 50);
    let mut sql = site.sql();
    let (mut signed, mut stores, mut unsettled) = (0, 0, 0);
    for round in rounds {
        site.keep_waiting(&mut sql, 100);
        let command = ["serve", "sign"][round % 2];
        let mut process = site.spawn("log", &with_anchors(&[command, "--batch-size", "2"]));
        // At once, or when it has stored some; and a little later.
        if random.below(4) > 0 {
            let stored = format!("SELECT count(*) > {signed} FROM signature");
            until("it stores some", Duration::from_secs(20), || {
                number(&mut sql, &stored) > 0 || !process.is_running()
            });
        }
        random.moment(Duration::from_millis(50));
        if process.is_running() {
            process.signal(Signal::KILL);
        }
        let code = process.wait(Duration::from_secs(20));
        assert!(code.is_none() || command == "sign" && code == Some(0), "round {round}: {}", process.log());
        for alarm in ["older than its anchor", "differ at entry", "damaged", "halted"] {
            assert!(!process.log().contains(alarm), "round {round}: {}", process.log());
        }
        let before = std::mem::replace(&mut signed, number(&mut sql, SIGNATURES));
        stores += usize::from(signed > before);
        unsettled += usize::from(is_unsettled(&site, "first") || is_unsettled(&site, "second"));
        all_is_anchored(&site, "first");
        all_is_anchored(&site, "second");
    }
    site.ok(&with_anchors(&["sign", "--batch-size", "2"]));
    site.check_all_signed();
    let records = number(&mut sql, "SELECT count(*) FROM record");
    assert_eq!(number(&mut sql, SIGNATURES), records, "one signature for each record");
    (stores, unsettled)
}

fn with_anchors<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &ANCHORS].concat()
}

/// Whether an anchor ends without the outcome of a commit.
fn is_unsettled(site: &Site, anchor: &str) -> bool {
    let text = std::fs::read_to_string(site.path(anchor)).unwrap_or_default();
    text.lines().last().is_some_and(|line| line.starts_with('H'))
}

/// Each entry that anybody can see was in each anchor before.
fn all_is_anchored(site: &Site, anchor: &str) {
    let text = std::fs::read_to_string(site.path(anchor)).unwrap_or_default();
    if text.matches('\n').count() < 2 {
        return; // killed before it knew what was there
    }
    let output = site.ok(&["verify", "--json", "--anchor", anchor]).stdout;
    let report: serde_json::Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(report["ledger"]["anchored"], report["ledger"]["entries"], "{report}");
}
