//! `verify` on sound databases, at rest and at work.

use std::sync::OnceLock;

use serde_json::Value;
use support::sandbox::{Sandbox, succeeded};

/// A folder with 60 signed records in 6 batches of 10 by 3 keys, and 5 records that wait.
pub fn signed() -> Sandbox {
    static SIGNED: OnceLock<Sandbox> = OnceLock::new();
    let signed = SIGNED.get_or_init(|| {
        let sandbox = Sandbox::new();
        sandbox.ok(&["seed", "--records", "60", "--keys", "3"]);
        // Two batches in hand of three keys: whatever the timing, each key in its turn.
        sandbox.ok(&["sign", "--batch-size", "10", "--signers", "1", "--prefetch", "1"]);
        sandbox.ok(&["seed", "--records", "65"]);
        sandbox
    });
    signed.copy()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_sound_database_is_found_sound_by_all_implementations() {
    let sandbox = signed();
    for engine in ["aws-lc", "lanes", "rsa"] {
        let text = sandbox.ok(&["verify", "--verifier", engine]);
        assert!(text.contains("records     65 (5 wait for their signature)"), "{text}");
        assert!(text.contains("batches     6 signed, 0 leased, 0 open"), "{text}");
        assert!(text.contains("verified    60 signatures"), "{text}");
        assert!(text.contains("problems    none"), "{text}");
    }
    let report = json(&sandbox.ok(&["verify", "--json"]));
    assert_eq!(report["ok"], true);
    assert_eq!(report["verified"], 60);
    assert_eq!(report["problems"], Value::Array(vec![]));
    let empty = Sandbox::migrated();
    assert!(empty.ok(&["verify"]).contains("problems    none"));
}

#[test]
fn every_scheme_verifies_with_all_implementations() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--keys", "1"]);
    for (i, scheme) in ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"].iter().enumerate() {
        sandbox.ok(&["seed", "--records", &(10 * (i + 1)).to_string()]);
        sandbox.ok(&["sign", "--scheme", scheme, "--signer", ["aws-lc", "lanes", "rsa"][i % 3]]);
    }
    for engine in ["aws-lc", "lanes", "rsa"] {
        let report = json(&sandbox.ok(&["verify", "--json", "--verifier", engine]));
        assert_eq!((&report["verified"], &report["ok"]), (&60.into(), &true.into()));
    }
}

#[test]
fn one_record_is_verified_by_its_id() {
    let sandbox = signed();
    let text = sandbox.ok(&["verify", "--record", "7"]);
    assert!(text.starts_with("record 7: signed with PS256 by key "), "{text}");
    let verdict = json(&sandbox.ok(&["verify", "--record", "7", "--json"]));
    assert_eq!((&verdict["ok"], &verdict["scheme"]), (&true.into(), &"PS256".into()));
    for (record, state) in [("61", "waiting"), ("66", "missing"), ("0", "missing"), ("-1", "missing")] {
        let output = sandbox.run(&["verify", "--json", &format!("--record={record}")]);
        assert_eq!(output.status.code(), Some(1), "{record}");
        assert_eq!(json(std::str::from_utf8(&output.stdout).unwrap())["state"], state, "{record}");
    }
}

#[test]
fn verifying_beside_a_process_that_signs_finds_nothing() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "6000", "--keys", "5", "--payload-size", "10"]);
    let mut signing = sandbox.command(&["sign", "--batch-size", "7"]).spawn().unwrap();
    let mut rounds = 0;
    while signing.try_wait().unwrap().is_none() {
        let report = json(&sandbox.ok(&["verify", "--json"]));
        assert_eq!(report["ok"], true, "{report:#}");
        rounds += 1;
    }
    assert!(rounds > 1, "the run was too short to look into");
    assert!(signing.wait().unwrap().success());
    assert_eq!(json(&sandbox.ok(&["verify", "--json"]))["verified"], 6000);
}

#[test]
fn status_tells_how_far_the_work_is() {
    let sandbox = signed();
    let status = json(&sandbox.ok(&["status", "--json"]));
    assert_eq!((&status["records"]["signed"], &status["records"]["waiting"]), (&60.into(), &5.into()));
    assert_eq!((&status["batches"]["signed"], &status["keys"]["active"]), (&6.into(), &3.into()));
    let text = sandbox.ok(&["status"]);
    assert!(text.contains("records  60 signed of 65, 5 waiting"), "{text}");
    let output = sandbox.command(&["sign", "--json"]).output().unwrap();
    assert_eq!(json(&succeeded(&output))["signed"], 5);
    assert!(sandbox.ok(&["status"]).contains("65 signed of 65, 0 waiting"));
}
