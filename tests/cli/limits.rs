//! Limits of keys at the command line.

use serde_json::{Value, json};
use support::sandbox::Sandbox;

use crate::verify::signed;

fn key(sandbox: &Sandbox, id: &str) -> Value {
    serde_json::from_str(&sandbox.ok(&["keys", "show", id, "--json"])).unwrap()
}

#[test]
fn limits_are_set_shown_and_removed() {
    let sandbox = signed();
    let times = ["--not-before", "2026-01-31T12:00:00Z", "--not-after", "9000-01-01T00:00:00.5Z"];
    sandbox.ok(&[&["keys", "set", "1", "--max-signatures", "20"][..], &times].concat());
    let shown = key(&sandbox, "1");
    let limits = ["max_signatures", "not_before", "not_after", "barred"].map(|name| shown[name].clone());
    let expected =
        [json!(20), json!("2026-01-31T12:00:00.000Z"), json!("9000-01-01T00:00:00.500Z"), json!("exhausted")];
    assert_eq!(limits, expected);
    let words =
        "at most 20 signatures, not before 2026-01-31T12:00:00.000Z, not after 9000-01-01T00:00:00.500Z";
    assert!(sandbox.ok(&["keys", "list"]).contains(&format!("  (exhausted)  ({words})\n")));
    let text = sandbox.ok(&["keys", "show", "1"]);
    assert!(
        text.contains("barred       exhausted\n") && text.contains(&format!("limits       {words}\n")),
        "{text}"
    );
    let status = sandbox.ok(&["status"]);
    assert!(status.contains("1 of the active keys may not sign now: 1 exhausted\n"), "{status}");
    let status: Value = serde_json::from_str(&sandbox.ok(&["status", "--json"])).unwrap();
    assert_eq!((&status["keys"]["exhausted"], &status["keys"]["active"]), (&json!(1), &json!(3)));
    sandbox.ok(&["keys", "set", "1", "--max-signatures", "none", "--not-after", "none"]);
    let shown = key(&sandbox, "1");
    let limits = ["max_signatures", "not_before", "not_after", "barred"].map(|name| shown[name].clone());
    assert_eq!(limits, [json!(null), json!("2026-01-31T12:00:00.000Z"), json!(null), json!(null)]);
    let log = sandbox.ok(&["audit-log", "--json"]);
    assert_eq!(log.lines().filter(|line| line.contains("\"key.limits\"")).count(), 2, "{log}");
    sandbox.ok(&["verify"]);
}

#[test]
fn limits_that_cannot_be_set_are_refused_with_the_reason() {
    let sandbox = signed();
    let set = |limits: &[&str]| sandbox.fails(1, &[&["keys", "set", "1"], limits].concat());
    let error = set(&["--max-signatures", "19"]);
    assert!(
        error
            .contains("it has made 20 signatures and is making 0, so max_signatures cannot be lower than 20")
    );
    let error = set(&["--not-before", "2027-01-01T00:00:00Z", "--not-after", "2027-01-01T00:00:00Z"]);
    assert!(error.contains("not_before must be earlier than not_after"), "{error}");
    for wrong in [&["--max-signatures", "0"][..], &["--not-after", "2027-01-01"], &[]] {
        let output = sandbox.run(&[&["keys", "set", "1"], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
    sandbox.ok(&["keys", "retire", "1", "--yes"]);
    let error = set(&["--max-signatures", "99"]);
    assert!(error.contains("it is retired, which is final"), "{error}");
    assert_eq!(key(&sandbox, "1")["max_signatures"], json!(null));
}

#[test]
fn sign_stops_at_the_limit_and_says_which_it_is() {
    let sandbox = Sandbox::migrated();
    sandbox.ok(&["seed", "--records", "50", "--keys", "2"]);
    sandbox.ok(&["keys", "set", "1", "--max-signatures", "25"]);
    sandbox.ok(&["keys", "set", "2", "--not-after", "2000-01-01T00:00:00Z"]);
    let error = sandbox.fails(1, &["sign", "--batch-size", "10"]);
    let expected =
        "none of the active keys may sign now (1 expired, 1 exhausted), and 30 records wait to be signed";
    assert!(error.contains(expected), "{error}");
    assert_eq!(sandbox.number("SELECT signature_count FROM signing_key WHERE id = 1"), 20);
    sandbox.ok(&["verify"]);
    sandbox.ok(&["keys", "set", "2", "--not-after", "none"]);
    sandbox.ok(&["sign", "--batch-size", "10"]);
    assert_eq!(sandbox.number("SELECT signature_count FROM signing_key WHERE id = 2"), 30);
    sandbox.ok(&["verify"]);
}
