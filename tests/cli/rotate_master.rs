//! Changing the master key: every key is sealed under the next one, or none is.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;
use support::sandbox::{Sandbox, failed};

const ROTATE: [&str; 3] = ["keys", "rotate-master", "--json"];

/// A database with keys in each state, one of them not sealed, and with records that wait.
fn seeded() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "40", "--keys", "5"]);
    sandbox.ok(&["keys", "disable", "2"]);
    sandbox.ok(&["keys", "retire", "3", "--yes"]);
    sandbox.sql(
        "UPDATE signing_key SET state = 'suspended' WHERE id = 4;
         UPDATE signing_key SET custody = 'hsm-1', sealed_key = NULL, location = 'id=%01', state = 'disabled' WHERE id = 5",
    );
    sandbox
}

/// Rotates; returns how many keys were resealed, how many were before, and the id of the master key.
fn rotate(sandbox: &Sandbox, arguments: &[&str]) -> (u64, u64, String) {
    let row: Value = serde_json::from_str(&sandbox.ok(&[&ROTATE, arguments].concat())).unwrap();
    let number = |name: &str| row[name].as_u64().unwrap();
    (number("resealed"), number("already"), row["master_key"].as_str().unwrap().to_owned())
}

/// The sealed keys, as hex.
fn sealed(sandbox: &Sandbox) -> Vec<(i64, String)> {
    sandbox.rows("SELECT id AS number, hex(sealed_key) AS text FROM signing_key WHERE sealed_key IS NOT NULL ORDER BY id")
}

/// The id of the master key that each key is sealed under.
fn under(sandbox: &Sandbox) -> Vec<String> {
    sealed(sandbox).into_iter().map(|(_, sealed)| sealed[2..18].to_lowercase()).collect()
}

fn audit(sandbox: &Sandbox) -> Vec<(i64, String)> {
    sandbox.rows(
        "SELECT count(*) OVER () AS number, object || ' ' || after || ' ' || (before IS NULL) AS text FROM api_audit \
         WHERE action = 'master.rotate' AND who GLOB 'cli:*'",
    )
}

#[test]
fn every_sealed_key_is_resealed_and_a_second_run_finds_nothing_to_do() {
    let sandbox = seeded();
    let (old, before) = (sandbox.read("signwave.db.master"), sealed(&sandbox));
    let (resealed, already, id) = rotate(&sandbox, &[]);
    assert_eq!((resealed, already), (4, 0));
    assert_eq!(under(&sandbox), [&*id; 4]);
    assert!(sealed(&sandbox).iter().zip(&before).all(|(now, then)| now.1 != then.1));
    assert_eq!((sandbox.mode("signwave.db.master.next"), sandbox.read("signwave.db.master")), (0o600, old));
    assert_eq!(audit(&sandbox), [(1, format!("{id} 4 keys resealed 1"))]);

    let between = sealed(&sandbox);
    assert_eq!(rotate(&sandbox, &[]), (0, 4, id.clone()));
    assert_eq!((sealed(&sandbox), audit(&sandbox).len()), (between, 1), "nothing has changed");
    // Before and after the next master key is in its place, and with it alone.
    sandbox.ok(&["sign", "--batch-size", "10"]);
    fs::rename(sandbox.path("signwave.db.master.next"), sandbox.path("signwave.db.master")).unwrap();
    sandbox.ok(&["keys", "enable", "4"]);
    sandbox.write("more.txt", "one\n".repeat(20));
    sandbox.ok(&["import", "more.txt"]);
    sandbox.ok(&["sign", "--batch-size", "5"]);
    assert_eq!(sandbox.number("SELECT count(*) FROM signature"), 60);
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key WHERE state = 'suspended'"), 0);
    sandbox.ok(&["verify"]);
    assert!(sandbox.ok(&["audit-log"]).contains("master.rotate"));
}

#[test]
fn a_half_rotated_database_is_finished_and_works_in_the_meantime() {
    let sandbox = seeded();
    let before = sealed(&sandbox);
    let (.., id) = rotate(&sandbox, &[]);
    for (key, sealed) in &before[..2] {
        sandbox.sql(&format!("UPDATE signing_key SET sealed_key = x'{sealed}' WHERE id = {key}"));
    }
    sandbox.sql("UPDATE signing_key SET state = 'active' WHERE id IN (2, 4)");
    sandbox.ok(&["sign", "--batch-size", "5"]);
    assert_eq!(
        sandbox.number("SELECT count(DISTINCT key_id) FROM batch WHERE epoch = 1"),
        3,
        "no batch failed"
    );
    // What is added while there is a next master key is sealed under it, such as the key of the ledger.
    sandbox.ok(&["keys", "generate"]);
    assert_eq!(rotate(&sandbox, &[]), (2, 4, id.clone()));
    assert_eq!(under(&sandbox), [&*id; 5]);
}

#[test]
fn an_existing_next_master_key_is_used_and_any_place_can_be_named() {
    let sandbox = seeded();
    sandbox.ok(&["keys", "init-master", "new"]);
    let new = sandbox.read("new");
    let (.., id) = rotate(&sandbox, &["--next-master-key-file", "new"]);
    assert_eq!((sandbox.read("new"), under(&sandbox)), (new.clone(), vec![id.clone(); 4]));
    assert!(!sandbox.path("signwave.db.master.next").exists());
    let error = sandbox.fails(1, &["sign"]);
    assert!(
        error.contains(&format!("is sealed under another master key (id {id}) than the given (id ")),
        "{error}"
    );
    sandbox.ok(&["sign", "--next-master-key-file", "new"]);
    assert_eq!(rotate(&sandbox, &["--next-master-key-command", "cat new"]), (0, 5, id));
    // The current master key is in the environment, and the next one is made where it should be.
    let mut command = sandbox.command(&[&ROTATE, &["--next-master-key-file", "third"][..]].concat());
    let output = command.env("SIGNWAVE_MASTER_KEY", new.trim()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    sandbox.ok(&["keys", "enable", "4"]);
    sandbox.ok(&["sign", "--master-key-file", "third"]);
}

#[test]
fn what_cannot_be_done_changes_nothing_and_says_why() {
    let sandbox = seeded();
    let state = || (sealed(&sandbox), audit(&sandbox).len(), sandbox.files());
    sandbox.ok(&["keys", "init-master", "open"]);
    fs::set_permissions(sandbox.path("open"), fs::Permissions::from_mode(0o644)).unwrap();
    sandbox.write("garbage", "no key");
    fs::set_permissions(sandbox.path("garbage"), fs::Permissions::from_mode(0o600)).unwrap();
    let before = state();
    for (arguments, code, reason) in [
        (
            &["--next-master-key-file", "open"][..],
            1,
            "the master key file open is open to others (mode 0644)",
        ),
        (&["--next-master-key-file", "garbage"], 1, "the master key is not 32 bytes in base64"),
        (&["--next-master-key-file", "no/new"], 1, "the master key file no/new could not be created"),
        (&["--next-master-key-file", "-"], 2, "the next master key cannot come from standard input"),
        (&["--next-master-key-file", "a", "--next-master-key-command", "b"], 2, "both a file and a command"),
        (
            &["--next-master-key-command", "false"],
            1,
            "the master key command 'false' failed (exit status: 1)",
        ),
        (&["--master-key-file", "none"], 1, "the master key file none could not be read"),
        (&["--master-key-command", "cat signwave.db.master"], 2, "no place for the next master key is given"),
    ] {
        let error = sandbox.fails(code, &[&ROTATE, arguments].concat());
        assert!(error.starts_with(reason), "{error}");
        assert_eq!(state(), before, "{error}");
    }
    let error = Sandbox::migrated().fails(1, &ROTATE);
    assert_eq!(error, "no key and no secret in this database is sealed: there is nothing to change");
}

#[test]
fn a_key_that_opens_with_neither_master_key_is_named_and_no_other_is_changed() {
    let sandbox = seeded();
    let fingerprint =
        sandbox.rows("SELECT id AS number, fingerprint AS text FROM signing_key ORDER BY id")[2].1.clone();
    let good = sealed(&sandbox)[2].1.clone();
    let damaged = |at: usize| {
        let digit = if good.as_bytes()[at] == b'0' { "1" } else { "0" };
        [&good[..at], digit, &good[at + 1..]].concat()
    };
    for (at, reason) in
        [(100, "is damaged, or belongs to another key"), (2, "is sealed under another master key")]
    {
        for exists in [false, true] {
            if exists {
                sandbox.ok(&["keys", "init-master", "signwave.db.master.next"]);
            }
            sandbox.sql(&format!("UPDATE signing_key SET sealed_key = x'{}' WHERE id = 3", damaged(at)));
            let before = (sealed(&sandbox), sandbox.files());
            let error = sandbox.fails(1, &ROTATE);
            assert!(error.starts_with("no key was resealed, because key 3 does not open: "), "{error}");
            assert!(error.contains(&fingerprint) && error.contains(reason), "{error}");
            assert_eq!((sealed(&sandbox), sandbox.files()), before, "no master key was made");
            assert_eq!(audit(&sandbox), []);
        }
        fs::remove_file(sandbox.path("signwave.db.master.next")).unwrap();
    }
    sandbox.sql(&format!("UPDATE signing_key SET sealed_key = x'{good}' WHERE id = 3"));
    assert_eq!(rotate(&sandbox, &[]).0, 4);
}

#[test]
fn the_text_says_what_to_do_next() {
    let sandbox = seeded();
    let said = |arguments: &[&str]| String::from_utf8(sandbox.run(arguments).stderr).unwrap();
    let first = said(&["keys", "rotate-master"]);
    assert!(first.contains("made the next master key 'signwave.db.master.next': keep a copy"), "{first}");
    assert!(
        first.contains("4 keys and secrets are resealed under master key ")
            && first.contains("; 0 were before"),
        "{first}"
    );
    assert!(
        first.contains("run this again") && first.contains("'mv signwave.db.master.next signwave.db.master'")
    );
    let second = said(&["keys", "rotate-master"]);
    assert!(
        second.contains("0 keys and secrets are resealed") && !second.contains("run this again"),
        "{second}"
    );
}

#[test]
fn a_command_prints_the_master_key() {
    let sandbox = seeded();
    fs::rename(sandbox.path("signwave.db.master"), sandbox.path("a file")).unwrap();
    sandbox.ok(&["sign", "--batch-size", "10", "--master-key-command", "cat 'a file'"]);
    let mut from_variable = sandbox.command(&["keys", "generate"]);
    let output = from_variable.env("SIGNWAVE_MASTER_KEY_COMMAND", "cat 'a file'").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for line in ["\"cat 'a file'\"", "['cat', 'a file']"] {
        sandbox.write("signwave.toml", format!("master-key-command = {line}"));
        sandbox.ok(&["keys", "generate"]);
    }
    sandbox.write("signwave.toml", "");
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key"), 8);

    // Its standard error is shown.
    let output = sandbox.run(&["sign", "--master-key-command", "sh -c 'echo denied >&2; exit 7'"]);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("denied\n"), "{output:?}");
    let error = failed(1, &output);
    assert!(error.starts_with("the master key command 'sh' failed (exit status: 7)"), "{error}");
    let both = ["sign", "--master-key-command", "cat 'a file'", "--master-key-file", "a file"];
    assert!(sandbox.fails(2, &both).starts_with("more than one of SIGNWAVE_MASTER_KEY, a master key file"));
    for (line, reason) in [
        ("''", "signwave.toml:1: the command is empty: name a program"),
        ("[]", "signwave.toml:1: the command is empty: name a program"),
        ("\"cat 'a\"", "signwave.toml:1: a quote in the command is not closed"),
        ("7", "signwave.toml:1: a command is a text or a list of texts"),
    ] {
        sandbox.write("signwave.toml", format!("master-key-command = {line}"));
        let error = sandbox.fails(2, &["sign"]);
        assert!(error.starts_with(reason), "{error}");
    }
}
