//! Exports in the order of the feed: from a position on, with a file that keeps it, and killed in the middle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::Value;
use support::{
    random::{Random, count},
    sandbox::Sandbox,
    waiting::until,
};

use crate::{tamper::finds, verify::signed};

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["record_id"].as_i64().unwrap()).collect()
}

/// Adds records until there are so many, and signs them.
fn sign_up_to(sandbox: &Sandbox, records: usize) {
    sandbox.ok(&["seed", "--records", &records.to_string()]);
    sandbox.ok(&["sign", "--batch-size", "7"]);
}

#[test]
fn an_export_goes_on_behind_any_row_of_another() {
    let sandbox = signed();
    let all = rows(&sandbox.ok(&["export", "--after", "0"]));
    assert_eq!(all.len(), 60);
    for (seen, row) in all.iter().enumerate().step_by(7).chain([(59, &all[59])]) {
        let position = row["position"].as_str().unwrap();
        assert_eq!(rows(&sandbox.ok(&["export", "--after", position])), all[seen + 1..], "{position}");
    }
    let with_payload = rows(&sandbox.ok(&["export", "--after", "0", "--with-payload"]));
    assert!(with_payload.iter().all(|row| row["payload_base64"].is_string()));
    let csv = sandbox.ok(&["export", "--after", "0", "--format", "csv"]);
    assert!(csv.starts_with("record_id,external_id,fingerprint,scheme,signed_at,signature,position\n"));
    for (line, row) in csv.lines().skip(1).zip(&all) {
        assert!(line.ends_with(row["position"].as_str().unwrap()), "{line}");
    }
    let plain = rows(&sandbox.ok(&["export"]));
    assert_eq!(ids(&plain).into_iter().collect::<BTreeSet<_>>(), ids(&all).into_iter().collect());
    assert!(plain.iter().all(|row| row.get("position").is_none()));
}

#[test]
fn a_state_file_keeps_the_position_from_one_export_to_the_next() {
    let sandbox = signed();
    let export = |more: &[&str]| rows(&sandbox.ok(&[&["export", "--state", "state"], more].concat()));
    assert_eq!(export(&[]).len(), 60);
    let kept = sandbox.read("state");
    assert!(kept.ends_with(".6\n"), "{kept}");
    assert_eq!(sandbox.mode("state"), 0o600);
    assert_eq!((export(&[]).len(), sandbox.read("state")), (0, kept.clone()));
    sign_up_to(&sandbox, 80);
    assert_eq!(ids(&export(&["--after", "0"])).len(), 20, "the file comes before --after");
    sign_up_to(&sandbox, 85);
    sandbox.ok(&["export", "--state", "state", "-o", "more.jsonl"]);
    assert_eq!(rows(&sandbox.read("more.jsonl")).len(), 5);
    assert!(export(&[]).is_empty());
    let behind = kept.trim().to_owned();
    let others = rows(&sandbox.ok(&["export", "--state", "other", "--after", &behind]));
    assert_eq!(others.len(), 25, "without a file --after says where to begin");
    let names = sandbox.files();
    assert!(names.iter().all(|name| !name.starts_with(".tmp")), "nothing is left behind: {names:?}");
}

#[test]
fn what_cannot_be_written_is_not_kept_as_written() {
    let sandbox = signed();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = sandbox.command(&["export", "--state", "state"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!sandbox.path("state").exists());
    assert_eq!(rows(&sandbox.ok(&["export", "--state", "state"])).len(), 60);
    sandbox.fails(1, &["export", "--state", "no folder/state"]);
}

#[test]
fn a_position_that_the_feed_does_not_have_is_an_error_and_never_an_empty_export() {
    let sandbox = signed();
    let backup = sandbox.copy();
    sign_up_to(&sandbox, 80);
    sandbox.ok(&["export", "--state", "state", "-o", "out"]);
    let position = sandbox.read("state").trim().to_owned();
    // The backup takes the place of the database that was read.
    backup.write("state", &position);
    let error = backup.fails(1, &["export", "--state", "state"]);
    assert!(
        error.contains(&format!("position {position} is ahead of the feed")) && error.contains("backup"),
        "{error}"
    );
    assert_eq!(backup.read("state"), position, "the file stays as it was");
    let id = position.split_once('.').unwrap().0;
    for beyond in [format!("{id}.99"), format!("{id}.0.10"), format!("{id}.6.1")] {
        let error = backup.fails(1, &["export", "--after", &beyond]);
        assert!(error.contains("is ahead of the feed"), "{beyond}: {error}");
    }
    backup.ok(&["export", "--after", &format!("{id}.0.9")]);
    let error = backup.fails(1, &["export", "--after", "000000000000.1"]);
    assert!(error.contains("is not one of this database, whose feed is"), "{error}");
    for wrong in
        ["", "1", "x", &format!("{id}.01"), &format!("{id}."), &id.to_uppercase(), &format!("{id}.-1")]
    {
        assert_eq!(backup.run(&["export", "--after", wrong]).status.code(), Some(2), "{wrong}");
    }
    for content in ["", "0", "x", &format!("{position}\n\n"), &"9".repeat(1 << 20)] {
        backup.write("state", content);
        let error = backup.fails(1, &["export", "--state", "state"]);
        assert!(error.contains("does not hold a position"), "{error}");
    }
}

/// An export that follows, and writes to the end of a file.
fn follow(sandbox: &Sandbox) -> Child {
    let out = File::options().create(true).append(true).open(sandbox.path("out.jsonl")).unwrap();
    let mut command = sandbox.command(&["export", "--state", "state", "--follow"]);
    command.stdout(out).stderr(Stdio::inherit()).spawn().unwrap()
}

fn lines(sandbox: &Sandbox) -> usize {
    if sandbox.path("out.jsonl").exists() { sandbox.read("out.jsonl").lines().count() } else { 0 }
}

#[test]
fn an_export_that_follows_writes_what_is_signed_while_it_waits() {
    let sandbox = signed();
    let mut export = follow(&sandbox);
    until("the first signatures", Duration::from_secs(20), || lines(&sandbox) == 60);
    for more in 1..=3 {
        sign_up_to(&sandbox, 60 + 10 * more);
        until("more signatures", Duration::from_secs(20), || lines(&sandbox) == 60 + 10 * more);
    }
    export.kill().unwrap();
    export.wait().unwrap();
    let all = rows(&sandbox.read("out.jsonl"));
    assert!(ids(&all).into_iter().collect::<BTreeSet<_>>().into_iter().eq(1..=90));
    assert_eq!(all, rows(&sandbox.ok(&["export", "--after", "0"])), "the same, in the same order");
}

#[test]
fn killed_in_the_middle_again_and_again_an_export_loses_nothing() {
    let kills = count("TEST_KILLS", 10);
    let sandbox = signed();
    let mut random = Random::new();
    for kill in 1..=kills {
        let mut export = follow(&sandbox);
        sign_up_to(&sandbox, 60 + 30 * kill);
        random.moment(Duration::from_millis(300));
        export.kill().unwrap();
        export.wait().unwrap();
        // The last line may be cut off: its row comes once more.
        let text = sandbox.read("out.jsonl");
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        sandbox.write("out.jsonl", &text[..whole]);
    }
    let mut export = follow(&sandbox);
    let expected = 60 + 30 * kills;
    let seen = || ids(&rows(&sandbox.read("out.jsonl"))).into_iter().collect::<BTreeSet<_>>().len();
    until("the rest", Duration::from_secs(60), || {
        sandbox.read("out.jsonl").ends_with('\n') && seen() == expected
    });
    export.kill().unwrap();
    export.wait().unwrap();
    let all = rows(&sandbox.read("out.jsonl"));
    let mut by_position = BTreeMap::new();
    for row in &all {
        let first = by_position.entry(row["position"].as_str().unwrap()).or_insert(row);
        assert_eq!(*first, row, "a row that comes once more is the same");
    }
    println!("measured: {} rows for {expected} records after {kills} kills", all.len());
}

#[test]
fn verify_names_what_was_done_to_the_feed() {
    finds(
        "DELETE FROM feed WHERE batch_id = 3",
        &[
            "feed: position 4 comes after position 2",
            "batch 3: it is signed, but has no position in the feed, and does not wait for one",
        ],
    );
    finds(
        "INSERT INTO batch (id, first_record, last_record, runs, record_count) VALUES (7, 61, 65, '61-65', 5);
         INSERT INTO feed VALUES (7, 7)",
        &["batch 7: it has position 7 of the feed, but is not signed"],
    );
    finds(
        "DELETE FROM feed WHERE position > 4",
        &[5, 6]
            .map(|batch| {
                format!(
                    "batch {batch}: it is signed, but has no position in the feed, and does not wait for one"
                )
            })
            .each_ref()
            .map(String::as_str),
    );
}
