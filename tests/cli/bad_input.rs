//! Databases and master keys that are missing, wrong or something else.

use std::fs;
use support::sandbox::{Sandbox, failed};

use crate::verify::signed;

/// Every command that needs a database, as simply as it can be called.
const NEED_A_DATABASE: [&[&str]; 13] = [
    &["sign"],
    &["import", "r.jsonl"],
    &["export"],
    &["verify"],
    &["verify", "--record", "1"],
    &["status"],
    &["keys", "list"],
    &["keys", "show", "1"],
    &["keys", "generate"],
    &["keys", "import", "k.pem"],
    &["keys", "disable", "1"],
    &["keys", "retire", "1", "--yes"],
    &["migrate", "--revert", "--yes"],
];

#[test]
fn no_command_but_the_ones_that_make_databases_makes_one() {
    let sandbox = Sandbox::new();
    sandbox.write("r.jsonl", "");
    for arguments in NEED_A_DATABASE {
        let error = sandbox.fails(1, arguments);
        assert_eq!(
            error, "there is no database at 'signwave.db': 'signwave migrate' makes one",
            "{arguments:?}"
        );
        assert_eq!(sandbox.files(), ["r.jsonl"], "{arguments:?}");
    }
}

#[test]
fn a_mistyped_address_is_an_error_and_no_new_file() {
    let sandbox = Sandbox::new();
    for address in ["", "sqlite:", "postgre://h/d", "mysql://user:secret@h/d", ":memory:"] {
        let error = sandbox.fails(2, &["migrate", "--database", address]);
        assert!(!error.contains("secret"), "{error}");
        assert!(sandbox.files().is_empty(), "{address}");
    }
}

#[cfg(not(feature = "kafka"))]
#[test]
fn an_address_of_kafka_is_refused_by_a_program_without_it_and_the_error_says_how_to_build_one() {
    let sandbox = Sandbox::new();
    for arguments in [["--intake", "kafka://secret?topic=t&group=g"], ["--publish", "kafka://secret?topic=t"]]
    {
        let error = sandbox.fails(2, &[&["serve"], &arguments[..]].concat());
        assert!(error.contains("cargo build --release --features kafka"), "{error}");
        assert!(!error.contains("secret") && sandbox.files().is_empty(), "{error}");
    }
}

#[test]
fn a_file_of_another_kind_is_not_touched() {
    let sandbox = Sandbox::new();
    let other = Sandbox::new();
    other.sql("CREATE TABLE t (a)");
    let sqlite = fs::read(other.path("signwave.db")).unwrap();
    for content in [&b"something else altogether, long enough to have a header of one hundred bytes and even more than that"[..], b"x", &sqlite] {
        sandbox.write("signwave.db", content);
        for arguments in [&["migrate"][..], &["status"], &["verify"], &["seed", "--records", "1"]] {
            let error = sandbox.fails(1, arguments);
            assert_eq!(error, "'signwave.db' is not a Sign Wave database", "{arguments:?}");
            assert_eq!(fs::read(sandbox.path("signwave.db")).unwrap(), content);
        }
    }
}

#[test]
fn a_database_of_another_version_is_not_touched() {
    let sandbox = Sandbox::migrated();
    sandbox.sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231235959')");
    for arguments in [&["status"][..], &["migrate"], &["serve"]] {
        let error = sandbox.fails(1, arguments);
        assert_eq!(
            error,
            "the database has migration '99991231235959', which this version does not know: use a newer signwave"
        );
    }
    let sandbox = Sandbox::migrated();
    sandbox.ok(&["migrate", "--revert", "--yes"]);
    let error = sandbox.fails(1, &["status"]);
    assert_eq!(error, "the database is of an older version: run 'signwave migrate' first");
    sandbox.ok(&["migrate"]);
    sandbox.ok(&["status"]);
}

#[test]
fn reverting_is_confirmed_first() {
    let sandbox = Sandbox::migrated();
    let error = sandbox.fails(2, &["migrate", "--revert"]);
    assert!(error.ends_with("deletes the data that it holds: add --yes to confirm"), "{error}");
    sandbox.ok(&["status"]);
}

#[test]
fn the_master_key_is_made_on_first_use_and_never_again() {
    let sandbox = Sandbox::migrated();
    assert!(!sandbox.files().contains(&"signwave.db.master".to_owned()));
    sandbox.ok(&["keys", "generate"]);
    assert_eq!(sandbox.mode("signwave.db.master"), 0o600);
    let master = sandbox.read("signwave.db.master");
    sandbox.ok(&["keys", "generate"]);
    assert_eq!(sandbox.read("signwave.db.master"), master);

    fs::remove_file(sandbox.path("signwave.db.master")).unwrap();
    for arguments in [&["keys", "generate"][..], &["sign"], &["serve"], &["seed", "--keys", "1"]] {
        let error = sandbox.fails(1, arguments);
        assert!(error.starts_with("the master key file 'signwave.db.master' is missing"), "{error}");
    }
    assert!(!sandbox.files().contains(&"signwave.db.master".to_owned()));
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key"), 2);
}

#[test]
fn a_wrong_or_unreadable_master_key_is_found_before_any_work() {
    let sandbox = signed();
    sandbox.ok(&["keys", "init-master", "other.master"]);
    sandbox.write("garbage", "not a key");
    sandbox.write("exposed", sandbox.read("signwave.db.master"));
    fs::create_dir(sandbox.path("folder")).unwrap();
    for (file, reason) in [
        ("other.master", "is sealed under another master key"),
        ("garbage", "garbage is open to others (mode 0644): run 'chmod 600 garbage'"),
        ("exposed", "exposed is open to others"),
        ("folder", "folder "),
        ("missing", "missing could not be read: No such file or directory"),
    ] {
        for arguments in [&["sign"][..], &["serve"], &["keys", "generate"], &["seed", "--keys", "1"]] {
            let error = sandbox.fails(1, &[arguments, &["--master-key-file", file]].concat());
            assert!(error.contains(reason), "{file}: {error}");
        }
    }
    sandbox.program("chmod", &["600", "garbage"]).status().unwrap();
    let error = sandbox.fails(1, &["sign", "--master-key-file", "garbage"]);
    assert!(error.starts_with("the master key is not 32 bytes in base64"), "{error}");
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key"), 3);
    assert_eq!(sandbox.number("SELECT count(*) FROM signature"), 60);
    assert_eq!(sandbox.number("SELECT count(*) FROM node"), 0);
}

#[test]
fn the_master_key_may_come_from_the_environment_but_from_one_place_only() {
    let sandbox = signed();
    let master = sandbox.read("signwave.db.master");
    fs::rename(sandbox.path("signwave.db.master"), sandbox.path("kept")).unwrap();
    let sign = |name: &str, value: &str| sandbox.command(&["sign"]).env(name, value).output().unwrap();
    assert!(failed(1, &sign("SIGNWAVE_MASTER_KEY", "AAAA")).starts_with("the master key is not 32 bytes"));
    let mut both = sandbox.command(&["sign", "--master-key-file", "kept"]);
    let error = failed(2, &both.env("SIGNWAVE_MASTER_KEY", &master).output().unwrap());
    assert_eq!(
        error,
        "more than one of SIGNWAVE_MASTER_KEY, a master key file and a master key command is set: unset all but one"
    );
    assert!(sign("SIGNWAVE_MASTER_KEY", &master).status.success());
    assert!(sign("SIGNWAVE_MASTER_KEY_FILE", "kept").status.success());
    assert_eq!(sandbox.number("SELECT count(*) FROM signature"), 65);
}

#[test]
fn a_master_key_file_is_never_overwritten() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["keys", "init-master", "master"]);
    let master = sandbox.read("master");
    assert_eq!((sandbox.mode("master"), master.len()), (0o600, 45));
    assert!(sandbox.fails(1, &["keys", "init-master", "master"]).contains("is never overwritten"));
    assert_eq!(sandbox.read("master"), master);
}

#[test]
fn signing_without_an_active_key_says_what_is_missing() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "3"]);
    let error = sandbox.fails(1, &["sign"]);
    assert!(error.starts_with("there is no active key, and 3 records wait to be signed"), "{error}");
    sandbox.ok(&["keys", "generate"]);
    sandbox.ok(&["keys", "disable", "1"]);
    assert!(sandbox.fails(1, &["sign"]).starts_with("there is no active key"));
    sandbox.ok(&["keys", "enable", "1"]);
    sandbox.ok(&["sign"]);
    assert_eq!(sandbox.number("SELECT count(*) FROM signature"), 3);
}

#[test]
fn the_demo_does_not_touch_a_database_that_is_in_use() {
    let sandbox = signed();
    let error = sandbox.fails(1, &["demo", "--database", "signwave.db"]);
    assert_eq!(
        error,
        "the database signwave.db has keys or records already: name an empty one with --database"
    );
    assert_eq!(sandbox.number("SELECT count(*) FROM record"), 65);
}
