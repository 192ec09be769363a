//! 'signwave ledger accept': a database that was put back goes on without what it lacks.

use std::{fs, os::unix::fs::symlink, process::Stdio};

use support::{
    random::{Random, count},
    sandbox::{Sandbox, succeeded},
};

const ANCHOR: &str = "elsewhere.anchor";
const ACCEPT: [&str; 7] = ["ledger", "accept", "--anchor", ANCHOR, "--reason", "the disk died", "--yes"];

/// Thirty records are signed. A copy was made when twenty of them were there, and ten signed, and is put back.
fn put_back() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "10", "--keys", "2"]);
    sign(&sandbox);
    sandbox.ok(&["seed", "--records", "20"]);
    sandbox.keep("old.db");
    sandbox.ok(&["seed", "--records", "30"]);
    sign(&sandbox);
    sandbox.keep("lost.db");
    sandbox.put("old.db");
    sandbox
}

fn sign(sandbox: &Sandbox) -> String {
    sandbox.ok(&["sign", "--batch-size", "5", "--anchor", ANCHOR])
}

/// The numbers in a column of the answer to a query.
fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_database_goes_on_and_names_what_it_lost() {
    let sandbox = put_back();
    sandbox.fails(3, &["sign", "--anchor", ANCHOR]);
    // It asks before, and says what will become of it.
    let question = sandbox.fails(2, &ACCEPT[..6]);
    assert!(
        question.contains(
            "has 4 entries of the ledger, and 8 were committed: 4 batches with 20 records, which are never"
        ),
        "{question}"
    );
    let accepted = sandbox.run(&ACCEPT);
    let said = String::from_utf8(accepted.stderr).unwrap();
    assert!(accepted.status.success(), "{said}");
    assert!(said.contains("4 batches are lost: 10 of their records are in the database"), "{said}");
    assert!(said.contains("go on behind 1000000000"), "{said}");
    assert!(said.contains(&format!("reading the anchors '{ANCHOR}'\n")), "{said}");
    assert!(said.contains(&format!("the one before is '{ANCHOR}.1'")), "{said}");

    let lost = json_lines(&sandbox.ok(&["ledger", "lost"]));
    assert_eq!(lost.len(), 20);
    let names: Vec<_> = lost.iter().filter_map(|line| line["external_id"].as_str()).collect();
    assert_eq!((names.len(), names[0], lost[0]["is_here"].as_bool()), (10, "seed-16", Some(false)));
    assert!(
        lost.iter().all(|line| line["fingerprint"].as_str().is_some_and(|key| key.len() == 64)),
        "{lost:?}"
    );

    sandbox.ok(&["seed", "--records", "32"]);
    assert!(sign(&sandbox).starts_with("signed 12 records"));
    assert_eq!(sandbox.number("SELECT count(*) FROM record WHERE id > 1000000000"), 12);
    assert_eq!(sandbox.number("SELECT count(*) FROM signature WHERE record_id BETWEEN 11 AND 1000000000"), 0);
    let status = sandbox.ok(&["status"]);
    assert!(status.contains("lost     4 batches with 10 records, which are not signed again"), "{status}");
    // The old anchor is worth something together with the new one only.
    let verified = sandbox.ok(&["verify", "--anchor", ANCHOR, "--anchor", &format!("{ANCHOR}.1")]);
    assert!(verified.contains("lost        4 batches with 10 records"), "{verified}");
    assert!(verified.contains("problems    none"), "{verified}");
    let alone = sandbox.run(&["verify", "--anchor", &format!("{ANCHOR}.1")]);
    assert_eq!(alone.status.code(), Some(1));
    // The audit log has it.
    assert!(sandbox.ok(&["audit-log"]).contains("ledger.accept"));
    let again = sandbox.fails(1, &ACCEPT);
    assert!(again.contains("nothing is lost"), "{again}");
    let aside = format!("{ANCHOR}.1");
    let again = sandbox.fails(1, &["ledger", "accept", "--anchor", &aside, "--reason", "why", "--yes"]);
    assert!(again.contains("was set aside when a restore was accepted"), "{again}");
}

#[test]
fn what_cannot_be_accepted_is_left_as_it_is() {
    let sandbox = put_back();
    let state =
        || sandbox.number("SELECT incarnation * 1000 + count(*) FROM ledger, batch WHERE state = 'signed'");
    let before = state();
    let without = sandbox.fails(2, &["ledger", "accept", "--reason", "why", "--yes"]);
    assert!(without.contains("name the anchors of the database"), "{without}");
    let spaced = sandbox.run(&["ledger", "accept", "--anchor", ANCHOR, "--reason", " spaced", "--yes"]);
    assert_eq!(spaced.status.code(), Some(2));
    sandbox.fails(1, &["ledger", "accept", "--anchor", "nowhere", "--reason", "why", "--yes"]);
    fs::write(sandbox.path("strange"), "no anchor\n").unwrap();
    let strange = sandbox.fails(1, &["ledger", "accept", "--anchor", "strange", "--reason", "why", "--yes"]);
    assert!(strange.contains("'strange' is not an anchor of Sign Wave"), "{strange}");
    assert_eq!(state(), before);
    // The anchor of another node, which knows nothing of what is lost.
    sandbox.put("lost.db");
    sandbox.ok(&["sign", "--anchor", "other.anchor"]);
    sandbox.put("old.db");
    let incomplete =
        sandbox.fails(1, &["ledger", "accept", "--anchor", "other.anchor", "--reason", "why", "--yes"]);
    assert!(
        incomplete.contains("entries 5 to 8 of the ledger were committed, but these anchors do not say"),
        "{incomplete}"
    );
    // With both, each is set aside.
    sandbox.ok(&[
        "ledger",
        "accept",
        "--anchor",
        ANCHOR,
        "--anchor",
        "other.anchor",
        "--reason",
        "why",
        "--yes",
    ]);
    assert!(sandbox.path("other.anchor.1").exists() && sandbox.path(&format!("{ANCHOR}.1")).exists());
    sandbox.ok(&["sign", "--anchor", "other.anchor"]);
    sign(&sandbox);
}

/// Commands that change keys write no anchor. Who signs with one afterwards notes what they did.
#[test]
fn a_key_that_was_added_after_the_backup_is_known() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "10", "--keys", "2"]);
    sign(&sandbox);
    sandbox.keep("old.db");
    sandbox.ok(&["keys", "generate", "--count", "2"]);
    sandbox.ok(&["seed", "--records", "20"]);
    sign(&sandbox);
    sandbox.put("old.db");
    let text = sandbox.read(ANCHOR);
    let noted: Vec<_> = text.lines().filter(|line| line.starts_with("K ")).collect();
    assert_eq!(noted.len(), 2);
    // Without them, only a person could know that no batch is missing.
    sandbox.write(ANCHOR, text.replace(&format!("{}\n", noted[0]), ""));
    let unknown = sandbox.fails(1, &ACCEPT);
    assert!(
        unknown.contains("entries 5 to 5 of the ledger were committed, but these anchors do not say"),
        "{unknown}"
    );
    sandbox.write(ANCHOR, text);
    let accepted = sandbox.run(&ACCEPT);
    let said = String::from_utf8(accepted.stderr).unwrap();
    assert!(accepted.status.success() && said.contains("2 batches are lost"), "{said}");
    sandbox.ok(&["seed", "--records", "22"]);
    assert!(sign(&sandbox).starts_with("signed 12 records"));
}

/// The anchor of a node that was not at hand is accepted later, unless it knows more than was known.
#[test]
fn an_anchor_that_comes_late_must_know_nothing_new() {
    let sandbox = put_back();
    fs::copy(sandbox.path(ANCHOR), sandbox.path("late")).unwrap();
    sandbox.ok(&ACCEPT);
    let late = sandbox.fails(3, &["sign", "--anchor", "late"]);
    assert!(late.contains("belongs to the ledger"), "{late}");
    sandbox.ok(&["ledger", "accept", "--anchor", "late", "--reason", "late", "--yes"]);
    sandbox.ok(&["sign", "--anchor", "late"]);

    let sandbox = put_back();
    let text = fs::read_to_string(sandbox.path(ANCHOR)).unwrap();
    let shorter = &text[..text.find("B 8 ").unwrap()];
    fs::copy(sandbox.path(ANCHOR), sandbox.path("late")).unwrap();
    fs::write(sandbox.path(ANCHOR), shorter).unwrap();
    sandbox.ok(&ACCEPT);
    let late = sandbox.fails(1, &["ledger", "accept", "--anchor", "late", "--reason", "late", "--yes"]);
    assert!(late.contains("knows of 8 entries of the ledger, but the loss was accepted with 7"), "{late}");
}

fn accept_with(anchors: &[&'static str]) -> Vec<&'static str> {
    let named = anchors.iter().flat_map(|anchor| ["--anchor", anchor]);
    ["ledger", "accept", "--reason", "why", "--yes"].into_iter().chain(named).collect()
}

/// Two nodes have signed since the backup, and the anchor of one of them is forgotten.
#[test]
fn what_another_anchor_alone_knows_cannot_be_accepted_later() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "10", "--keys", "2"]);
    sign(&sandbox);
    sandbox.ok(&["seed", "--records", "15"]);
    sandbox.keep("old.db");
    // The copy went on under a third node, whose batch has the same number.
    sandbox.ok(&["seed", "--records", "17"]);
    sandbox.ok(&["sign", "--batch-size", "7", "--anchor", "fork"]);
    sandbox.put("old.db");
    sign(&sandbox);
    sandbox.ok(&["seed", "--records", "20"]);
    sandbox.ok(&["sign", "--anchor", "other"]);
    let restore = || {
        sandbox.put("old.db");
        sandbox.ok(&["seed", "--records", "20"]);
    };
    restore();
    sandbox.ok(&accept_with(&[ANCHOR]));
    let error = sandbox.fails(1, &accept_with(&["other"]));
    assert!(
        error.contains("'other' knows of 6 entries of the ledger, but the loss was accepted with 5"),
        "{error}"
    );
    let error = sandbox.fails(1, &accept_with(&["fork"]));
    assert!(error.contains("they differ at entry 5"), "{error}");
    let verified = sandbox.run(&["verify", "--anchor", ANCHOR, "--anchor", "other"]);
    let said = String::from_utf8(verified.stdout).unwrap();
    assert!(said.contains("accepted with 5: the anchor was not named then"), "{said}");

    // As the error says: from the beginning, with the anchor as it was.
    restore();
    let text = sandbox.read(&format!("{ANCHOR}.1"));
    sandbox.write(ANCHOR, &text[..text.trim_end().rfind('\n').unwrap() + 1]);
    fs::remove_file(sandbox.path(&format!("{ANCHOR}.1"))).unwrap();
    sandbox.ok(&accept_with(&[ANCHOR, "other"]));
    assert!(sign(&sandbox).starts_with("signed 0 records"));
    let anchors = [ANCHOR, &format!("{ANCHOR}.1"), "other", "other.1"];
    let verify: Vec<_> = anchors.iter().flat_map(|anchor| ["--anchor", anchor]).collect();
    let verified = sandbox.ok(&[&["verify"], &verify[..]].concat());
    assert!(verified.contains("lost        2 batches with 10 records"), "{verified}");
    assert!(verified.contains("problems    none"), "{verified}");
}

#[test]
fn an_anchor_is_set_aside_where_it_is_and_replaces_nothing() {
    let sandbox = put_back();
    let aside = format!("{ANCHOR}.1");
    symlink(ANCHOR, sandbox.path("link")).unwrap();
    for command in
        [accept_with(&[ANCHOR, "link"]), vec!["ledger", "heal", "--anchor", ANCHOR, "--anchor", "link"]]
    {
        let error = sandbox.fails(1, &command);
        assert!(error.contains(&format!("the anchors '{ANCHOR}' and 'link' are the same")), "{error}");
    }
    sandbox.write(&aside, "something else");
    let error = sandbox.fails(1, &accept_with(&["link"]));
    assert!(error.contains("there is a file at '") && error.contains(".1' already"), "{error}");
    assert_eq!(sandbox.number("SELECT incarnation FROM ledger"), 1);
    assert_eq!(sandbox.read(&aside), "something else");
    fs::remove_file(sandbox.path(&aside)).unwrap();
    // The variable is read as for 'sign'.
    let mut accept = sandbox.command(&accept_with(&[]));
    succeeded(&accept.env("SIGNWAVE_ANCHOR", "link").output().unwrap());
    assert!(sandbox.path("link").is_symlink());
    let begins =
        |name: &str, incarnation: &str| sandbox.read(name).lines().next().unwrap().ends_with(incarnation);
    assert!(begins(ANCHOR, "/2") && begins(&aside, "/1"));
}

#[test]
fn a_command_that_is_killed_is_run_again() {
    let mut random = Random::new();
    let mut killed = 0;
    for _ in 0..count("TEST_KILLS", 6) {
        let sandbox = put_back();
        loop {
            let mut accept = sandbox.command(&ACCEPT);
            let mut child =
                accept.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            random.moment(std::time::Duration::from_millis(60));
            let _ = child.kill();
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            // All that is left to do then is nothing.
            if output.status.success() || said.contains("nothing is lost") {
                break;
            }
            assert_eq!(output.status.code(), None, "{said}");
            killed += 1;
        }
        sandbox.ok(&["seed", "--records", "32"]);
        assert!(sign(&sandbox).starts_with("signed 12 records"));
        assert_eq!(
            sandbox.number("SELECT count(*) FROM signature WHERE record_id BETWEEN 11 AND 1000000000"),
            0
        );
        assert_eq!(sandbox.number("SELECT incarnation FROM ledger"), 2);
        let verified = sandbox.ok(&["verify", "--anchor", ANCHOR, "--anchor", &format!("{ANCHOR}.1")]);
        assert!(verified.contains("problems    none"), "{verified}");
    }
    println!("measured: killed {killed} times");
}

#[test]
fn a_key_that_was_retired_after_the_backup_is_retired_again() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "10", "--keys", "2"]);
    sign(&sandbox);
    sandbox.keep("old.db");
    sandbox.ok(&["keys", "retire", "2", "--yes"]);
    sandbox.ok(&["seed", "--records", "20"]);
    sign(&sandbox);
    sandbox.put("old.db");
    let accepted = sandbox.run(&[&ACCEPT[..], &["--sign-lost-again"]].concat());
    let said = String::from_utf8(accepted.stderr).unwrap();
    assert!(accepted.status.success(), "{said}");
    assert!(said.contains("1 keys were retired after the backup, and are retired again"), "{said}");
    assert!(said.contains("what was lost may be signed again"), "{said}");
    let keys: serde_json::Value = serde_json::from_str(&sandbox.ok(&["keys", "list", "--json"])).unwrap();
    assert_eq!(keys[1]["state"], "retired");
    let log = sandbox.ok(&["audit-log"]);
    assert!(log.contains("the disk died; what was lost may be signed again"), "{log}");
    sandbox.ok(&["seed", "--records", "20"]);
    sign(&sandbox);
    assert_eq!(sandbox.number("SELECT count(*) FROM batch WHERE key_id = 2 AND id > 2"), 0);
    assert!(sandbox.ok(&["verify", "--anchor", ANCHOR]).contains("problems    none"));
}
