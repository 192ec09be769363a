//! Bundles of a real database, as others check them; and the checkpoints that they end in.

use std::process::Command;

use support::sandbox::Sandbox;

use crate::verify::signed;

fn python(sandbox: &Sandbox, key: &str) -> String {
    let verifier = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/bundle/verify_bundle.py");
    let output = Command::new("python3")
        .args([verifier, "bundles.jsonl", "--ledger", key])
        .current_dir(sandbox.path("."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:#?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_signed_record_has_a_bundle_that_others_accept() {
    let sandbox = signed();
    sandbox.ok(&["export", "--as", "bundle", "--with-payload", "-o", "bundles.jsonl"]);
    let key = sandbox.ok(&["ledger", "key"]);
    let ours = sandbox.ok(&["verify", "--bundle", "bundles.jsonl", "--ledger", key.trim()]);
    assert!(ours.ends_with("60 verified, 0 refused\n"), "{ours}");
    assert!(python(&sandbox, key.trim()).ends_with("60 verified, 0 refused\n"));
    let one = sandbox.ok(&["export", "--as", "bundle", "--record", "17"]);
    sandbox.write("bundles.jsonl", &one);
    assert!(python(&sandbox, key.trim()).contains("record 17 \"seed-17\": verified"));
    assert!(
        sandbox.fails(1, &["export", "--as", "bundle", "--record", "61"]).contains("record 61 is not signed")
    );
    assert!(sandbox.fails(1, &["export", "--as", "bundle", "--record", "99"]).contains("no such record"));
    for wrong in [&["export", "--as", "bundle", "--format", "csv"][..], &["export", "--record", "17"]] {
        assert_eq!(sandbox.run(wrong).status.code(), Some(2));
    }
}

#[test]
fn a_checkpoint_follows_what_is_signed_and_its_key_outlives_the_master_key() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "10", "--keys", "1"]);
    assert!(sandbox.fails(1, &["ledger", "checkpoint"]).contains("there is no checkpoint yet"));
    assert!(sandbox.fails(1, &["ledger", "key"]).contains("the ledger has no key yet"));
    assert!(sandbox.fails(1, &["export", "--as", "bundle"]).contains("the ledger has no checkpoint yet"));
    sandbox.ok(&["sign"]);
    let (key, first) = (sandbox.ok(&["ledger", "key"]), sandbox.ok(&["ledger", "checkpoint"]));
    assert_eq!(first.lines().nth(1), Some("2"));
    sandbox.ok(&["keys", "rotate-master"]);
    std::fs::rename(sandbox.path("signwave.db.master.next"), sandbox.path("signwave.db.master")).unwrap();
    sandbox.ok(&["seed", "--records", "20"]);
    sandbox.ok(&["sign"]);
    let second = sandbox.ok(&["ledger", "checkpoint"]);
    assert_eq!((second.lines().nth(1), sandbox.ok(&["ledger", "key"])), (Some("3"), key));
    // What is signed behind the last checkpoint has no bundle yet.
    sandbox.sql(&format!(
        "DROP TRIGGER ledger_only_rises; UPDATE ledger SET checkpoint_size = 2, checkpoint = '{first}'"
    ));
    let output = sandbox.run(&["export", "--as", "bundle"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 10);
    assert!(stderr.contains("10 records were signed after the last checkpoint"), "{stderr}");
    assert!(
        sandbox
            .fails(1, &["export", "--as", "bundle", "--record", "11"])
            .contains("after the last checkpoint")
    );
}
