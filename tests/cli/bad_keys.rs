//! Keys that `keys import` must refuse, or open with a passphrase; sealed keys that were exchanged.

use std::{fs, path::Path};
use support::sandbox::{Sandbox, failed, succeeded};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn openssl(sandbox: &Sandbox, arguments: &str) {
    let arguments: Vec<_> = arguments.split(' ').collect();
    let output = sandbox.program("openssl", &arguments).output().unwrap();
    assert!(output.status.success(), "{output:#?}");
}

/// A folder with a database and the key `good.pem`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::migrated();
    sandbox.write("good.pem", fixture("signer/rsa2048.pem"));
    sandbox
}

/// What a file holds that is no good key, tests/signer/bad_keys has it all, through the command line too.
#[test]
fn one_bad_file_among_good_ones_is_named_and_nothing_is_imported() {
    let sandbox = sandbox();
    sandbox.write("garbage", "once upon a time");
    sandbox.write("huge", vec![b'x'; 4 << 20]);
    fs::create_dir(sandbox.path("folder")).unwrap();
    openssl(&sandbox, "genrsa -out short.pem 1024");
    for (file, reason) in [
        ("missing.pem", "it cannot be read: No such file"),
        ("folder", "it cannot be read: Is a directory"),
        ("garbage", "this is not an RSA private key"),
        ("huge", "bytes, more than any key"),
        ("short.pem", "this key is refused: it has 1024 bits, and must have 2048 to 8192"),
    ] {
        let error = sandbox.fails(1, &["keys", "import", "good.pem", file]);
        assert!(error.starts_with(&format!("'{file}' was not imported: ")), "{error}");
        assert!(error.contains(reason), "{file}: {error}");
        assert_eq!(sandbox.number("SELECT count(*) FROM signing_key"), 0, "{file}");
    }
}

#[test]
fn an_encrypted_key_opens_with_its_passphrase_from_either_place() {
    let sandbox = sandbox();
    openssl(&sandbox, "pkcs8 -topk8 -in good.pem -v2 aes-256-cbc -passout pass:sesame -out encrypted.pem");
    sandbox.write("wrong", "open barley\n");
    sandbox.write("right", "sesame\n");
    let import = ["keys", "import", "encrypted.pem"];
    let error = sandbox.fails(1, &[&import[..], &["--passphrase-file", "wrong"]].concat());
    assert!(error.contains("the passphrase does not open the key"), "{error}");
    let mut both = sandbox.command(&[&import[..], &["--passphrase-file", "right"]].concat());
    let error = failed(2, &both.env("SIGNWAVE_PASSPHRASE", "sesame").output().unwrap());
    assert!(error.starts_with("both --passphrase-file and SIGNWAVE_PASSPHRASE are given"), "{error}");
    let fingerprint = sandbox.ok(&[&import[..], &["--passphrase-file", "right"]].concat());
    let again = sandbox.command(&import).env("SIGNWAVE_PASSPHRASE", "sesame").output().unwrap();
    assert_eq!(succeeded(&again), "");
    assert!(String::from_utf8_lossy(&again.stderr).contains("is already stored, as key 1: skipped"));
    assert!(sandbox.ok(&["keys", "show", "1"]).contains(fingerprint.trim()));
}

#[test]
fn sealed_keys_that_were_exchanged_in_the_database_sign_nothing() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "60", "--keys", "3"]);
    sandbox.sql(
        "CREATE TEMP TABLE kept AS SELECT id, sealed_key FROM signing_key;
         UPDATE signing_key SET sealed_key = (SELECT sealed_key FROM kept WHERE kept.id = 5 - signing_key.id)
         WHERE id IN (2, 3)",
    );
    sandbox.ok(&["sign", "--batch-size", "5"]);
    assert_eq!(sandbox.number("SELECT count(*) FROM signature"), 60);
    assert_eq!(sandbox.number("SELECT count(DISTINCT key_id) FROM batch"), 1);
    let suspended =
        sandbox.rows("SELECT id AS number, state_reason AS text FROM signing_key WHERE state = 'suspended'");
    assert_eq!(suspended.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 3]);
    assert!(suspended.iter().all(|(_, reason)| reason.contains("is damaged, or belongs to another key")));
    sandbox.ok(&["verify"]);
}

#[test]
fn keys_in_an_unknown_custody_are_left_alone_keys_without_any_are_suspended_and_the_others_sign() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "60", "--keys", "3"]);
    sandbox.sql(
        "UPDATE signing_key SET custody = 'hsm-1', sealed_key = NULL, location = 'id=%01' WHERE id = 1;
         PRAGMA ignore_check_constraints = ON;
         UPDATE signing_key SET sealed_key = NULL WHERE id = 3",
    );
    sandbox.ok(&["sign", "--batch-size", "5"]);
    assert_eq!(sandbox.number("SELECT count(*) FROM batch WHERE state = 'signed' AND key_id = 2"), 12);
    let suspended =
        sandbox.rows("SELECT id AS number, state_reason AS text FROM signing_key WHERE state = 'suspended'");
    assert_eq!(suspended.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [3]);
    assert!(suspended[0].1.contains("custody 'database' contradicts"), "{suspended:?}");
}

#[test]
fn a_master_key_is_needed_only_where_a_key_is_sealed() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "5", "--keys", "1"]);
    std::fs::remove_file(sandbox.path("signwave.db.master")).unwrap();
    let error = sandbox.fails(1, &["sign"]);
    assert!(error.starts_with("the master key file 'signwave.db.master' is missing"), "{error}");
    assert_eq!(sandbox.number("SELECT count(*) FROM batch"), 0);

    sandbox.sql("UPDATE signing_key SET custody = 'hsm-1', sealed_key = NULL, location = 'id=%01'");
    let error = sandbox.fails(1, &["sign"]);
    assert!(error.starts_with("this process can use no active key"), "{error}");
    assert!(!sandbox.path("signwave.db.master").exists());
}
