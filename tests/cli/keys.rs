//! The pool of keys, as people manage it.

use serde_json::Value;
use support::sandbox::Sandbox;

use crate::verify::signed;

fn list(sandbox: &Sandbox) -> Vec<Value> {
    serde_json::from_str(&sandbox.ok(&["keys", "list", "--json"])).unwrap()
}

fn state(sandbox: &Sandbox, key: usize) -> String {
    list(sandbox)[key - 1]["state"].as_str().unwrap().to_owned()
}

#[test]
fn new_keys_are_printed_and_listed_by_their_fingerprints() {
    let sandbox = Sandbox::migrated();
    let printed = sandbox.ok(&["keys", "generate", "--count", "3"]);
    let keys = list(&sandbox);
    let listed: Vec<_> = keys.iter().map(|key| key["fingerprint"].as_str().unwrap()).collect();
    assert_eq!(printed.lines().collect::<Vec<_>>(), listed);
    assert_eq!((&keys[0]["bits"], &keys[0]["state"]), (&2048.into(), &"active".into()));
    let table = sandbox.ok(&["keys", "list"]);
    assert_eq!(table.lines().count(), 4);
    assert!(listed.iter().all(|fingerprint| table.contains(&fingerprint[..16])), "{table}");
    assert!(
        sandbox
            .fails(1, &["keys", "generate", "--bits", "1024"])
            .contains("cannot generate a key of 1024 bits")
    );
}

#[test]
fn a_key_is_named_by_its_id_or_the_start_of_its_fingerprint() {
    let sandbox = signed();
    let keys = list(&sandbox);
    let fingerprint = keys[1]["fingerprint"].as_str().unwrap();
    for name in ["2", fingerprint, &fingerprint[..12], &fingerprint.to_uppercase()] {
        let shown: Value = serde_json::from_str(&sandbox.ok(&["keys", "show", name, "--json"])).unwrap();
        assert_eq!(shown, keys[1], "{name}");
    }
    for name in ["9", "", "zzzz", &fingerprint[..3], "02", "-1"] {
        let error = sandbox.fails(1, &["keys", "show", "--", name]);
        assert!(error.starts_with(&format!("there is no key '{name}'")), "{error}");
    }
}

#[test]
fn a_public_key_in_pem_is_what_openssl_makes_of_it() {
    let sandbox = signed();
    let pem = sandbox.ok(&["keys", "show", "1", "--pem"]);
    sandbox.write("public.pem", &pem);
    let output = sandbox.program("openssl", &["pkey", "-pubin", "-in", "public.pem"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), pem);
}

#[test]
fn a_key_is_disabled_enabled_and_retired_for_good() {
    let sandbox = signed();
    sandbox.ok(&["keys", "disable", "1", "--reason", "on holiday"]);
    assert_eq!(state(&sandbox, 1), "disabled");
    assert!(sandbox.ok(&["keys", "list"]).contains("(on holiday)"));
    assert!(sandbox.ok(&["keys", "show", "1"]).contains("reason       on holiday"));
    sandbox.ok(&["keys", "enable", "1"]);
    assert_eq!(
        (state(&sandbox, 1), list(&sandbox)[0]["state_reason"].clone()),
        ("active".into(), Value::Null)
    );

    let error = sandbox.fails(2, &["keys", "retire", "1"]);
    assert!(error.ends_with("will be retired for good: add --yes to confirm"), "{error}");
    assert_eq!(state(&sandbox, 1), "active");
    sandbox.ok(&["keys", "retire", "1", "--yes"]);
    for command in ["enable", "disable"] {
        let error = sandbox.fails(1, &["keys", command, "1"]);
        assert_eq!(error, "key 1 is retired, which is final: use another key");
    }
    assert_eq!(state(&sandbox, 1), "retired");
    sandbox.ok(&["verify"]);
}

#[test]
fn an_imported_key_signs() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "5"]);
    for (format, arguments) in [("PKCS#1", "-traditional"), ("DER", "-outform DER")] {
        let arguments = format!("genrsa {} -out key 2048", if format == "PKCS#1" { arguments } else { "" });
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        assert!(sandbox.program("openssl", &arguments).output().unwrap().status.success());
        if format == "DER" {
            let convert = ["pkcs8", "-topk8", "-nocrypt", "-in", "key", "-outform", "DER", "-out", "key.der"];
            assert!(sandbox.program("openssl", &convert).output().unwrap().status.success());
            std::fs::rename(sandbox.path("key.der"), sandbox.path("key")).unwrap();
        }
        sandbox.ok(&["keys", "import", "key"]);
    }
    sandbox.ok(&["sign", "--batch-size", "1"]);
    sandbox.ok(&["verify"]);
    assert_eq!(sandbox.number("SELECT count(DISTINCT key_id) FROM batch"), 2);
}
