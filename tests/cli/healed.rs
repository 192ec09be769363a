//! A database that was put back gets back what it lacks, from bundles.

use std::time::Duration;

use rustix::process::Signal;
use support::{process::Running, random::Random, sandbox::Sandbox, store::MINUTE};

const ANCHOR: &str = "elsewhere.anchor";

/// What must be the same again. Not known is when records were added, and when batches were formed and leased.
const TABLES: [&str; 7] = [
    "SELECT id AS number, coalesce(external_id, '-') || hex(payload) AS text FROM record ORDER BY id",
    "SELECT id AS number, concat_ws(',', first_record, last_record, runs, record_count, absent, state, epoch, key_id, \
     node_id, scheme, signed_at) AS text FROM batch ORDER BY id",
    "SELECT record_id AS number, batch_id || hex(value) AS text FROM signature ORDER BY record_id",
    "SELECT seq AS number, concat_ws(',', batch_id, hex(root), entry, hex(head)) AS text FROM receipt ORDER BY seq",
    "SELECT size AS number, concat_ws(',', id, incarnation, hex(edge), halted) AS text FROM ledger",
    "SELECT position AS number, batch_id || (SELECT id FROM feed_identity) AS text FROM feed ORDER BY position",
    "SELECT id AS number, fingerprint || state || signature_count AS text FROM signing_key ORDER BY id",
];

fn rows(sandbox: &Sandbox) -> Vec<Vec<(i64, String)>> {
    TABLES.iter().map(|table| sandbox.rows(table)).collect()
}

fn seed(sandbox: &Sandbox, records: &str) {
    sandbox.ok(&["seed", "--records", records]);
    sandbox.ok(&["sign", "--batch-size", "3", "--anchor", ANCHOR]);
}

/// A database with `records` records, as it was with ten of them, and the bundles of all. Both copies are beside it.
fn lost(records: &str) -> (Sandbox, Vec<Vec<(i64, String)>>) {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "10", "--keys", "2"]);
    seed(&sandbox, "10");
    sandbox.keep("old.db");
    seed(&sandbox, records);
    sandbox.ok(&["export", "--as", "bundle", "--with-payload", "-o", "bundles.jsonl"]);
    let had = rows(&sandbox);
    sandbox.keep("new.db");
    sandbox.put("old.db");
    (sandbox, had)
}

fn heal<'a>(files: &[&'a str]) -> Vec<&'a str> {
    [&["ledger", "heal", "--anchor", ANCHOR, "--yes"], files].concat()
}

/// Bundles of some lines, changed.
fn bundles(sandbox: &Sandbox, name: &str, change: impl Fn(usize, &str) -> Option<String>) {
    let text = sandbox.read("bundles.jsonl");
    let lines = text.lines().enumerate().filter_map(|(at, line)| change(at, line));
    sandbox.write(name, lines.map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn the_same_history_goes_on() {
    let (sandbox, had) = lost("20");
    let error = sandbox.fails(3, &["sign", "--anchor", ANCHOR]);
    assert!(error.contains("signwave ledger heal --help"), "{error}");
    let anchor = sandbox.read(ANCHOR);
    // In any order, and some twice.
    bundles(&sandbox, "odd", |at, line| (at % 2 == 1).then(|| line.to_owned()));
    bundles(&sandbox, "rest", |at, line| (at % 2 == 0 || at == 15).then(|| line.to_owned()));
    sandbox.ok(&heal(&["rest", "odd"]));
    assert_eq!(rows(&sandbox), had);
    assert_eq!(sandbox.read(ANCHOR), anchor);
    let verified = sandbox.ok(&["verify", "--anchor", ANCHOR]);
    assert!(verified.contains("problems    none") && verified.contains("of 10 entries"), "{verified}");
    assert!(sandbox.ok(&["audit-log"]).contains("ledger.heal"));
    // It is done.
    sandbox.ok(&heal(&[]));
    sandbox.ok(&heal(&["rest"]));
    seed(&sandbox, "23");
    assert_eq!(sandbox.number("SELECT min(id) FROM record WHERE id > 20"), 1_000_000_001);
    assert!(sandbox.ok(&["verify", "--anchor", ANCHOR]).contains("problems    none"));
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_changed() {
    let (sandbox, _) = lost("20");
    let before = rows(&sandbox);
    let refused = |files: &[&str], why: &str| {
        let error = sandbox.fails(1, &heal(files));
        assert!(error.contains(why), "{why}: {error}");
        assert_eq!(rows(&sandbox), before, "{why}");
    };
    refused(&[], "batch 5 lacks the bundles of the records 11-13; batch 6 lacks");
    bundles(&sandbox, "few", |at, line| (at != 16).then(|| line.to_owned()));
    refused(&["few"], "batch 7 lacks the bundles of the records 17.");
    let without = |line: &str| {
        let (before, rest) = line.split_once("\"payload\":\"").unwrap();
        format!("{before}{}", rest.split_once("\",").unwrap().1)
    };
    bundles(&sandbox, "bare", |at, line| Some(if at == 16 { without(line) } else { line.to_owned() }));
    refused(&["bare"], "batch 7 lacks the payloads of the records 17 ('signwave export");
    let changed = |member: &'static str| {
        move |at: usize, line: &str| {
            let (before, rest) = line.split_once(&format!("\"{member}\":\"")).unwrap();
            let other = if rest.starts_with('A') { 'B' } else { 'A' };
            let line = if at == 16 {
                format!("{before}\"{member}\":\"{other}{}", &rest[1..])
            } else {
                line.to_owned()
            };
            Some(line)
        }
    };
    for (member, why) in [
        ("signature", "line 17: the signature does not verify"),
        ("payload", "line 17: the payload does not have the digest"),
        ("digest", "line 17: the payload does not have the digest"),
        ("external_id", "line 17: the path does not lead from the record"),
    ] {
        bundles(&sandbox, "changed", changed(member));
        refused(&["changed"], why);
    }
    bundles(&sandbox, "cut", |at, line| Some(line[..if at == 16 { 100 } else { line.len() }].to_owned()));
    refused(&["cut"], "line 17: this is no bundle");
    refused(&["missing"], "'missing' cannot be read");
    // The whole of another database, and of this one when it had gone another way.
    let other = Sandbox::new();
    other.ok(&["seed", "--records", "20", "--keys", "1"]);
    other.ok(&["sign", "--batch-size", "3"]);
    sandbox.write("other", other.ok(&["export", "--as", "bundle", "--with-payload"]));
    refused(&["bundles.jsonl", "other"], "line 1: this is a bundle of the ledger signwave/");
    let fork = sandbox.copy();
    fork.ok(&["seed", "--records", "20"]);
    fork.ok(&["sign", "--batch-size", "3"]);
    sandbox.write("fork", fork.ok(&["export", "--as", "bundle", "--with-payload"]));
    refused(&["fork"], "batch 5 was signed otherwise, as the anchor says");
    // Anchors that know less than was shown.
    let text = sandbox.read(ANCHOR);
    let end = text.rfind("\nB ").unwrap() + 1;
    sandbox.write(ANCHOR, &text[..end]);
    refused(&["bundles.jsonl"], "of the ledger was committed, and these anchors do not know of it");
    sandbox.write(ANCHOR, text);
    sandbox.ok(&heal(&["bundles.jsonl"]));
}

#[test]
fn records_that_were_added_since_are_not_mixed_up() {
    let (sandbox, _) = lost("20");
    // The anchor has not been seen yet.
    sandbox.write("added", "another record\n");
    sandbox.ok(&["import", "added", "--format", "lines"]);
    let error = sandbox.fails(1, &heal(&["bundles.jsonl"]));
    assert!(error.contains("record 11 has other bytes than it had"), "{error}");
    sandbox.put("old.db");
    sandbox.ok(&["seed", "--records", "13"]);
    // The same records with the same ids, but not signed.
    sandbox.ok(&heal(&["bundles.jsonl"]));
    assert!(sandbox.ok(&["verify", "--anchor", ANCHOR]).contains("problems    none"));
}

#[test]
fn a_key_comes_back_retired_but_not_from_nothing() {
    let (sandbox, _) = lost("20");
    sandbox.put("new.db");
    sandbox.ok(&["keys", "retire", "2", "--yes"]);
    seed(&sandbox, "23");
    sandbox.ok(&["export", "--as", "bundle", "--with-payload", "-o", "bundles.jsonl"]);
    let had = rows(&sandbox);
    sandbox.put("old.db");
    sandbox.ok(&heal(&["bundles.jsonl"]));
    assert_eq!(rows(&sandbox), had);
    // A generated key is gone with its private half.
    sandbox.keep("healed.db");
    sandbox.ok(&["keys", "generate"]);
    sandbox.ok(&["sign", "--anchor", ANCHOR]);
    sandbox.put("healed.db");
    let error = sandbox.fails(1, &heal(&["bundles.jsonl"]));
    assert!(
        error.contains("was added after the backup") && error.contains("signwave ledger accept"),
        "{error}"
    );
    assert_eq!(rows(&sandbox), had);
}

#[test]
fn a_newer_copy_that_is_halted_goes_on() {
    let (sandbox, had) = lost("20");
    sandbox.put("new.db");
    sandbox.sql("UPDATE ledger SET halted = 'it was older'");
    sandbox.fails(3, &["sign", "--anchor", ANCHOR]);
    sandbox.ok(&heal(&[]));
    assert_eq!(rows(&sandbox), had);
    seed(&sandbox, "23");
    // An older one does not.
    sandbox.put("old.db");
    sandbox.fails(1, &heal(&[]));
    sandbox.fails(3, &["sign", "--anchor", ANCHOR]);
}

#[test]
fn a_halt_is_lifted_only_with_an_anchor_that_knows_as_much() {
    let (sandbox, _) = lost("20");
    sandbox.put("new.db");
    sandbox.ok(&["seed", "--records", "23"]);
    sandbox.keep("halted.db");
    sandbox.ok(&["sign", "--anchor", "other"]);
    sandbox.ok(&["export", "--as", "bundle", "--with-payload", "-o", "bundles.jsonl"]);
    let had = rows(&sandbox);
    sandbox.put("halted.db");
    sandbox.fails(3, &["sign", "--anchor", "other"]);
    let accept = ["ledger", "accept", "--anchor", ANCHOR, "--reason", "why", "--yes"];
    for command in [heal(&[]), heal(&["bundles.jsonl"]), accept.to_vec()] {
        let error = sandbox.fails(1, &command);
        assert!(error.contains("knows that 11 entries of the ledger were committed"), "{error}");
    }
    sandbox.fails(3, &["sign", "--anchor", ANCHOR]);
    sandbox.ok(&heal(&["bundles.jsonl", "--anchor", "other"]));
    assert_eq!(rows(&sandbox), had);
    assert_eq!(sandbox.number("SELECT count(halted_size) FROM ledger"), 0);
    // No anchor has halted the same copy when it is put back again.
    sandbox.put("halted.db");
    sandbox.ok(&heal(&[]));
}

#[test]
fn without_its_last_confirmation_the_files_say_what_was_stored() {
    let (sandbox, had) = lost("20");
    let text = sandbox.read(ANCHOR);
    let unconfirmed = &text[..text.find("C 10\n").unwrap()];
    sandbox.write(ANCHOR, unconfirmed);
    sandbox.ok(&heal(&["bundles.jsonl"]));
    assert_eq!(rows(&sandbox), had);
    // Or they do not have it, and it was never seen.
    sandbox.put("old.db");
    sandbox.write(ANCHOR, unconfirmed);
    let last = unconfirmed[unconfirmed.rfind("\nB ").unwrap()..].split(' ').nth(2).unwrap();
    let entry = format!("signwave/batch/v1\\n{last}\\n");
    bundles(&sandbox, "earlier", |_, line| (!line.contains(&entry)).then(|| line.to_owned()));
    let output = sandbox.run(&heal(&["earlier"]));
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("so they are signed anew: ") && said.contains(&format!("{last}\n")), "{said}");
    seed(&sandbox, "20");
    assert!(sandbox.ok(&["verify", "--anchor", ANCHOR]).contains("problems    none"));
}

#[test]
fn a_heal_that_is_killed_again_and_again_ends_as_one_that_is_not() {
    let (sandbox, had) = lost("40");
    let (mut random, mut kills) = (Random::new(), 0);
    let anchor = sandbox.read(ANCHOR);
    loop {
        let mut running = Running::start(sandbox.command(&heal(&["bundles.jsonl"])), sandbox.path("log"));
        random.moment(Duration::from_millis(100 + 10 * kills));
        if !running.is_running() {
            assert_eq!(running.wait(MINUTE), Some(0), "{}", running.log());
            break;
        }
        running.signal(Signal::KILL);
        running.wait(MINUTE);
        kills += 1;
        assert_eq!(sandbox.read(ANCHOR), anchor);
    }
    println!("measured: {kills} kills");
    assert_eq!(rows(&sandbox), had);
    assert!(sandbox.ok(&["verify", "--anchor", ANCHOR]).contains("problems    none"));
}
