//! Certificates of keys at the command line.

use serde_json::{Value, json};
use support::{
    certificates::{authority, certify, chain},
    sandbox::{Sandbox, failed, succeeded},
};

use crate::verify::signed;

/// A signed database, with two authorities, and certificates of keys 1 and 2 by the lower one.
fn certified() -> Sandbox {
    let sandbox = signed();
    let folder = sandbox.path("");
    authority(&folder, "root", "rsa:2048", None);
    authority(&folder, "issuer", "ec -pkeyopt ec_paramgen_curve:P-256", Some("root"));
    for key in ["1", "2"] {
        sandbox.write(&format!("{key}.public"), sandbox.ok(&["keys", "show", key, "--pem"]));
        certify(&folder, &format!("{key}.public"), &format!("leaf-{key}"), "issuer", 10);
    }
    chain(&folder, "chain.pem", &["leaf-1", "issuer", "root"]);
    sandbox
}

fn shown(sandbox: &Sandbox, key: &str) -> Value {
    serde_json::from_str(&sandbox.ok(&["keys", "show", key, "--json"])).unwrap()
}

/// What a command that succeeds logs.
fn logged(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = sandbox.run(arguments);
    succeeded(&output);
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn certificates_are_stored_shown_replaced_and_removed_and_each_change_is_logged() {
    let sandbox = certified();
    assert_eq!(shown(&sandbox, "1")["x5c"], json!(null));
    let log = logged(&sandbox, &["keys", "certify", "1", "chain.pem"]);
    assert!(log.contains("now has a certificate for CN=leaf-1, valid until 20"), "{log}");
    assert!(!log.contains("not valid now") && !log.contains("expires"), "{log}");
    assert_eq!(sandbox.ok(&["keys", "show", "1", "--certificate"]), sandbox.read("chain.pem"));
    assert_eq!(shown(&sandbox, "1")["x5c"].as_array().unwrap().len(), 3);
    let text = sandbox.ok(&["keys", "show", "1"]);
    assert!(text.contains("certificate  CN=leaf-1\nissued by    CN=issuer\nvalid        20"), "{text}");
    sandbox.ok(&["verify"]);

    sandbox.ok(&["keys", "certify", "1", "leaf-1.pem"]);
    assert_eq!(sandbox.ok(&["keys", "show", "1", "--certificate"]), sandbox.read("leaf-1.pem"));
    sandbox.ok(&["keys", "certify", "1", "--remove"]);
    assert!(logged(&sandbox, &["keys", "certify", "1", "--remove"]).contains("has no certificates"));
    let error = sandbox.fails(1, &["keys", "show", "1", "--certificate"]);
    assert!(error.contains("key 1 has no certificates"), "{error}");
    let log = sandbox.ok(&["audit-log", "--json"]);
    let rows: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows: Vec<_> = rows.iter().filter(|row| row["action"] == "key.certificates").collect();
    assert_eq!(rows.len(), 3, "{log}");
    let starts = |row: &Value, name: &str, start: &str| row[name].as_str().unwrap().starts_with(start);
    assert!(starts(rows[0], "before", "none") && starts(rows[0], "after", "CN=leaf-1, until 20"), "{log}");
    assert!(starts(rows[1], "before", "certificates of ") && starts(rows[2], "after", "none"), "{log}");
    sandbox.ok(&["verify"]);
}

#[test]
fn what_is_not_a_chain_of_the_key_is_refused_and_nothing_changes() {
    let sandbox = certified();
    let folder = sandbox.path("");
    sandbox.ok(&["keys", "certify", "1", "chain.pem"]);
    chain(&folder, "order.pem", &["leaf-1", "root", "issuer"]);
    chain(&folder, "long.pem", &["leaf-1"; 11]);
    sandbox.write("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (file, reason) in [
        ("leaf-2.pem", "the first certificate is of another key"),
        ("order.pem", "certificate 1 was not issued by the subject of the next one"),
        ("long.pem", "it has more than 10 certificates"),
        ("garbage.pem", "certificate 1 does not parse"),
        ("root.key", "it has a PEM block 'PRIVATE KEY'"),
        ("absent.pem", "it cannot be read"),
    ] {
        let error = sandbox.fails(1, &["keys", "certify", "1", file]);
        assert!(
            error.starts_with(&format!("'{file}' cannot be stored as certificates of key 1: ")),
            "{error}"
        );
        assert!(error.contains(reason), "{error}");
    }
    failed(1, &sandbox.run(&["keys", "certify", "9", "chain.pem"]));
    for wrong in [&["keys", "certify", "1"][..], &["keys", "certify", "1", "chain.pem", "--remove"]] {
        assert_eq!(sandbox.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(sandbox.ok(&["keys", "show", "1", "--certificate"]), sandbox.read("chain.pem"));
}

#[test]
fn times_that_do_not_fit_are_warned_of() {
    let sandbox = certified();
    certify(&sandbox.path(""), "1.public", "over", "issuer", -1);
    let log = logged(&sandbox, &["keys", "certify", "1", "over.pem"]);
    assert!(log.contains("certificate 1 of key 1 (") && log.contains(") is not valid now"), "{log}");
    sandbox.ok(&["keys", "set", "1", "--not-after", "9000-01-01T00:00:00Z"]);
    let log = logged(&sandbox, &["keys", "certify", "1", "leaf-1.pem"]);
    assert!(log.contains("before the key does") && !log.contains("not valid now"), "{log}");
}

#[test]
fn verify_finds_certificates_of_another_key() {
    let sandbox = certified();
    sandbox.ok(&["keys", "certify", "1", "leaf-1.pem"]);
    sandbox.ok(&["keys", "certify", "2", "chain.pem"]
        .map(|word| if word == "chain.pem" { "leaf-2.pem" } else { word }));
    sandbox.ok(&["verify"]);
    sandbox.sql("UPDATE signing_key SET certificates = (SELECT certificates FROM signing_key WHERE id = 2) WHERE id = 1");
    let found = String::from_utf8(sandbox.run(&["verify"]).stdout).unwrap();
    assert!(
        found.contains("key 1: its certificates are wrong: the first certificate is of another key"),
        "{found}"
    );
    let error = sandbox.fails(1, &["keys", "show", "1"]);
    assert!(error.contains("the stored certificates of key 1 are damaged"), "{error}");
}

#[test]
fn keys_have_limits_from_the_start() {
    let sandbox = Sandbox::migrated();
    let limits = ["--max-signatures", "20", "--not-before", "2026-01-31T12:00:00Z"];
    sandbox.ok(&[&["keys", "generate", "--count", "2"][..], &limits].concat());
    support::openssl::openssl(&sandbox.path(""), "genpkey -algorithm RSA -out imported.pem");
    sandbox.ok(&["keys", "import", "imported.pem", "--not-after", "9000-01-01T00:00:00Z"]);
    for key in ["1", "2"] {
        let key = shown(&sandbox, key);
        let of_key = [&key["max_signatures"], &key["not_before"], &key["not_after"]];
        assert_eq!(of_key, [&json!(20), &json!("2026-01-31T12:00:00.000Z"), &json!(null)]);
    }
    assert_eq!(shown(&sandbox, "3")["not_after"], "9000-01-01T00:00:00.000Z");
    // A key that is there keeps its limits.
    sandbox.ok(&["keys", "import", "imported.pem", "--max-signatures", "5"]);
    assert_eq!(shown(&sandbox, "3")["max_signatures"], json!(null));
    let log = sandbox.ok(&["audit-log", "--json"]);
    assert!(log.contains(", limits: at most 20 signatures, not before 2026-01-31T12:00:00.000Z\""), "{log}");
    let ends = ["--not-before", "2027-01-01T00:00:00Z", "--not-after", "2027-01-01T00:00:00Z"];
    for command in [&["keys", "generate"][..], &["keys", "import", "imported.pem"]] {
        let error = sandbox.fails(2, &[command, &ends].concat());
        assert!(
            error.contains("no key can have these limits: not_before must be earlier than not_after"),
            "{error}"
        );
    }
}
