//! Anchors: an older database, or another one, signs nothing, and 'verify' tells it from the one that was shown.

use std::fs;

use support::sandbox::Sandbox;

use crate::tamper::tamper;

const ANCHOR: &str = "elsewhere.anchor";

/// Ten records, signed with an anchor.
fn anchored() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "10", "--keys", "2"]);
    sign(&sandbox);
    sandbox
}

fn sign(sandbox: &Sandbox) -> String {
    sandbox.ok(&["sign", "--batch-size", "5", "--anchor", ANCHOR])
}

fn verify(sandbox: &Sandbox) -> (Option<i32>, String) {
    let output = sandbox.run(&["verify", "--anchor", ANCHOR]);
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_database_as_it_was_shown_is_anchored_up_to_what_was_signed_with_the_anchor() {
    let sandbox = anchored();
    let (code, text) = verify(&sandbox);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("anchored    4 of 4 entries of the ledger\nproblems    none\n"), "{text}");
    sandbox.ok(&["seed", "--records", "15"]);
    sandbox.ok(&["sign"]);
    let (code, text) = verify(&sandbox);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("anchored    4 of 5 entries of the ledger\n"), "{text}");
    assert!(sign(&sandbox).starts_with("signed 0 records"));
    assert!(verify(&sandbox).1.contains("anchored    5 of 5 entries"));
}

#[test]
fn an_older_database_signs_nothing_until_the_newer_one_is_back() {
    let sandbox = anchored();
    sandbox.keep("old.db");
    sandbox.ok(&["seed", "--records", "20"]);
    sign(&sandbox);
    sandbox.keep("new.db");
    sandbox.put("old.db");
    sandbox.ok(&["seed", "--records", "12"]);
    let (code, text) = verify(&sandbox);
    assert_eq!(code, Some(1));
    let older =
        format!("  ledger: it has 4 entries, but the anchor '{ANCHOR}' knows of 6: the database is older\n");
    assert!(text.contains(&older) && text.contains("anchored    4 of 4 entries"), "{text}");

    let error = sandbox.fails(3, &["sign", "--anchor", ANCHOR]);
    assert!(error.contains("the database is older than its anchor: it has 4 entries"), "{error}");
    // Now the database says so itself, to every process.
    assert_eq!(sandbox.fails(3, &["sign"]), error);
    assert_eq!(sandbox.fails(3, &["import", "-", "--format", "lines"]), error);
    let refused = "UPDATE batch SET state = 'leased', epoch = 1, key_id = 1, node_id = 1, scheme = 'PS256', \
                   leased_at = '2027-01-01T00:00:00.000Z'";
    assert_eq!(sandbox.number("SELECT count(*) FROM signature"), 10, "{refused}");
    assert!(sandbox.ok(&["status"]).contains("halted"));

    sandbox.put("new.db");
    assert!(sign(&sandbox).starts_with("signed 0 records"));
    assert_eq!(verify(&sandbox).0, Some(0));
}

#[test]
fn a_database_that_went_another_way_signs_nothing() {
    let sandbox = anchored();
    sandbox.keep("old.db");
    sandbox.ok(&["seed", "--records", "20"]);
    sign(&sandbox);
    sandbox.put("old.db");
    sandbox.ok(&["seed", "--records", "30"]);
    sandbox.ok(&["sign", "--batch-size", "5"]);
    sandbox.ok(&["verify"]);
    let (code, text) = verify(&sandbox);
    assert_eq!(code, Some(1));
    assert!(
        text.contains(&format!("  ledger: up to entry 5, it is not what the anchor '{ANCHOR}' says\n")),
        "{text}"
    );
    let error = sandbox.fails(3, &["sign", "--anchor", ANCHOR]);
    assert!(error.contains("they differ at entry 6 of the ledger"), "{error}");
}

#[test]
fn another_database_and_a_missing_one_are_no_match_for_an_anchor() {
    let sandbox = anchored();
    fs::remove_file(sandbox.path("signwave.db")).unwrap();
    let error = sandbox.fails(1, &["sign", "--anchor", ANCHOR]);
    assert!(error.contains("there is no database"), "{error}");
    fs::remove_file(sandbox.path("signwave.db.master")).unwrap();
    sandbox.ok(&["seed", "--records", "10", "--keys", "2"]);
    let error = sandbox.fails(3, &["sign", "--anchor", ANCHOR]);
    assert!(error.contains("belongs to the ledger signwave/"), "{error}");
    let (code, text) = verify(&sandbox);
    assert_eq!(code, Some(1));
    assert!(text.contains("belongs to the ledger signwave/"), "{text}");
    sandbox.write("damaged", "signwave/anchor/v2\n");
    let error = sandbox.fails(1, &["sign", "--anchor", "damaged"]);
    assert!(error.contains("'damaged' is not an anchor of Sign Wave"), "{error}");
}

/// That `verify` finds this, whatever else it finds.
#[track_caller]
fn finds(sandbox: &Sandbox, problem: &str) {
    let anchors = ["verify", "--anchor", ANCHOR, "--anchor", &format!("{ANCHOR}.1")];
    let count = if sandbox.path(anchors[4]).exists() { 5 } else { 3 };
    let output = sandbox.run(&anchors[..count]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("  {problem}\n")), "{text}");
}

/// The ledger stays as it was, and the batch could be signed again.
#[test]
fn a_batch_that_is_freed_while_its_entry_stays_as_text_is_found() {
    let sandbox = anchored();
    let bundles = sandbox.ok(&["export", "--as", "bundle"]);
    let bundle: serde_json::Value = serde_json::from_str(bundles.lines().last().unwrap()).unwrap();
    let entry = bundle["receipt"]["entry"].as_str().unwrap();
    let (batch, seq) = (2, bundle["receipt"]["index"].as_u64().unwrap() + 1);
    tamper(
        &sandbox,
        &format!(
            "UPDATE receipt SET entry = '{entry}', batch_id = NULL, root = NULL WHERE seq = {seq}; \
             DELETE FROM signature WHERE batch_id = {batch}; DELETE FROM feed WHERE batch_id = {batch}; \
             UPDATE signing_key SET signature_count = signature_count - 5 \
             WHERE id = (SELECT key_id FROM batch WHERE id = {batch}); \
             UPDATE batch SET state = 'open', key_id = NULL, scheme = NULL, leased_at = NULL, signed_at = NULL, epoch = 0 \
             WHERE id = {batch}"
        ),
    );
    let problem =
        format!("ledger: the entry of receipt {seq} is not of the batch to which the receipt belongs");
    finds(&sandbox, &problem);
    sandbox.ok(&["sign", "--anchor", ANCHOR]);
    finds(&sandbox, &problem);
}

#[test]
fn a_lost_batch_that_is_freed_is_found() {
    let sandbox = anchored();
    sandbox.keep("old.db");
    sandbox.ok(&["seed", "--records", "20"]);
    sign(&sandbox);
    sandbox.put("old.db");
    sandbox.ok(&["seed", "--records", "20"]);
    sandbox.ok(&["ledger", "accept", "--anchor", ANCHOR, "--reason", "why", "--yes"]);
    tamper(
        &sandbox,
        "UPDATE signing_key SET signature_count = signature_count - \
         (SELECT coalesce(sum(record_count), 0) FROM batch WHERE state = 'lost' AND key_id = signing_key.id); \
         UPDATE batch SET state = 'open', key_id = NULL, epoch = 0, absent = 0 WHERE state = 'lost'",
    );
    let problem = "the last restore says that 2 batches are lost, and the database has 0, or others";
    finds(&sandbox, problem);
    assert!(sign(&sandbox).starts_with("signed 10 records"));
    finds(&sandbox, problem);
}

#[test]
fn a_retired_key_that_is_back_is_found() {
    let sandbox = anchored();
    sandbox.ok(&["keys", "retire", "2", "--yes"]);
    tamper(&sandbox, "UPDATE signing_key SET state = 'active' WHERE id = 2");
    finds(&sandbox, "key 2 was retired, as the ledger says, and is not retired any more");
}
