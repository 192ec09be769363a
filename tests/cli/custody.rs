//! Keys in the files of a directory, as platforms mount them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    time::Duration,
};

use support::{
    openssl::openssl,
    process::Running,
    sandbox::{Sandbox, failed, succeeded},
    waiting::until,
};

const SETTINGS: &str =
    "[custody.mounted]\nkind = 'file'\ndirectory = 'keys'\npassphrase-file = 'passphrase'\n";
const SOON: Duration = Duration::from_secs(30);

/// A folder whose settings name a directory with `keys` key files, the last of them encrypted. They are mounted as
/// Kubernetes does it: each is a link through `..data` to a folder, which can be exchanged.
fn mounted(keys: usize) -> Sandbox {
    let sandbox = Sandbox::migrated();
    sandbox.write("signwave.toml", SETTINGS);
    write_secret(&sandbox, "passphrase", b"secret\n");
    fs::create_dir(sandbox.path("keys")).unwrap();
    fill(&sandbox, "..v1", keys);
    symlink("..v1", sandbox.path("keys/..data")).unwrap();
    (1..=keys).for_each(|n| {
        symlink(format!("..data/k{n}.pem"), sandbox.path(&format!("keys/k{n}.pem"))).unwrap();
    });
    sandbox
}

fn fill(sandbox: &Sandbox, version: &str, keys: usize) {
    fs::create_dir(sandbox.path(&format!("keys/{version}"))).unwrap();
    for n in 1..=keys {
        let made = format!(
            "genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform PEM -out plain{n}.pem"
        );
        openssl(&sandbox.path(""), &made);
        let encrypt = format!("pkcs8 -topk8 -in plain{n}.pem -passout pass:secret");
        let key = if n == keys {
            openssl(&sandbox.path(""), &encrypt)
        } else {
            fs::read(sandbox.path(&format!("plain{n}.pem"))).unwrap()
        };
        write_secret(sandbox, &format!("keys/{version}/k{n}.pem"), &key);
    }
}

fn write_secret(sandbox: &Sandbox, name: &str, content: &[u8]) {
    sandbox.write(name, content);
    fs::set_permissions(sandbox.path(name), Permissions::from_mode(0o600)).unwrap();
}

fn add_records(sandbox: &Sandbox, count: usize) {
    (0..count).for_each(|_| sandbox.sql("INSERT INTO record (payload) VALUES ('a record')"));
}

fn unsigned(sandbox: &Sandbox) -> i64 {
    sandbox.number("SELECT count(*) FROM record") - sandbox.number("SELECT count(*) FROM signature")
}

#[test]
fn keys_in_files_are_added_once_and_sign_like_others() {
    let sandbox = mounted(3);
    let added = sandbox.ok(&["keys", "add", "--custodian", "mounted", "k2.pem"]);
    assert_eq!(added.lines().count(), 1);
    assert_eq!(sandbox.ok(&["keys", "add", "--custodian", "mounted", "--all"]).lines().count(), 2);
    assert_eq!(sandbox.ok(&["keys", "add", "--custodian", "mounted", "--all"]), "");
    let secret = "SELECT count(*) FROM signing_key WHERE sealed_key IS NOT NULL OR custody <> 'mounted'";
    assert_eq!(sandbox.number(secret), 0, "no private half is in the database");
    let locations = sandbox.rows("SELECT id AS number, location AS text FROM signing_key ORDER BY id");
    assert_eq!(
        locations.iter().map(|row| row.1.as_str()).collect::<Vec<_>>(),
        ["k2.pem", "k1.pem", "k3.pem"]
    );
    add_records(&sandbox, 30);
    assert!(sandbox.ok(&["sign", "--batch-size", "1"]).starts_with("signed 30 records in 30 batches"));
    assert!(!sandbox.path("signwave.db.master").exists(), "no key is sealed, so no master key was needed");
    assert!(sandbox.ok(&["verify"]).contains("verified    30 signatures"));
    let used = sandbox.number("SELECT count(*) FROM signing_key WHERE signature_count > 0");
    assert_eq!(used, 3, "all have signed");
    let check = sandbox.ok(&["custody", "check"]);
    for line in ["k1.pem: key 2, active", "k2.pem: key 1, active", "k3.pem: key 3, active"] {
        assert!(check.contains(line), "{check}");
    }
}

#[test]
fn what_must_not_be_added_is_refused_and_nothing_else_is_added() {
    let sandbox = mounted(2);
    let add = |names: &[&str]| {
        let arguments = [&["keys", "add", "--custodian", "mounted"], names].concat();
        sandbox.fails(1, &arguments)
    };
    let wide = sandbox.path("keys/..v1/k1.pem");
    fs::set_permissions(&wide, Permissions::from_mode(0o644)).unwrap();
    let error = add(&["k2.pem", "k1.pem"]);
    assert!(error.contains("k1.pem is open to others (mode 0644): run 'chmod 600"), "{error}");
    fs::set_permissions(&wide, Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(sandbox.path("passphrase"), Permissions::from_mode(0o644)).unwrap();
    assert!(add(&["k2.pem"]).contains("passphrase is open to others"));
    write_secret(&sandbox, "passphrase", b"wrong\n");
    assert!(add(&["k1.pem", "k2.pem"]).contains("the passphrase does not open the key"));
    sandbox.write("signwave.toml", SETTINGS.replace("passphrase-file = 'passphrase'\n", ""));
    assert!(add(&["k2.pem"]).contains("name a file with its passphrase, as passphrase-file"));
    for outside in ["../plain1.pem", "..data/k1.pem", "..v1", ".", ""] {
        let error = add(&["k1.pem", outside]);
        assert!(error.contains("is not the name of a file in the custodian's directory"), "{error}");
    }
    assert!(add(&["k9.pem"]).contains("cannot be read: No such file or directory"));
    fs::create_dir(sandbox.path("keys/folder")).unwrap();
    assert!(add(&["folder"]).contains("it is not a regular file"));
    write_secret(&sandbox, "keys/text", b"no key");
    assert!(add(&["k1.pem", "text"]).contains("this is not an RSA private key"));
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key"), 0);
    let unknown = sandbox.fails(2, &["keys", "add", "--custodian", "hsm", "--all"]);
    assert!(unknown.contains("add a section [custody.hsm]"), "{unknown}");
    assert_eq!(
        sandbox.run(&["keys", "add", "--custodian", "mounted"]).status.code(),
        Some(2),
        "files or --all"
    );
}

#[test]
fn a_damaged_file_is_one_key_s_problem() {
    let sandbox = mounted(4);
    sandbox.ok(&["keys", "add", "--custodian", "mounted", "--all"]);
    write_secret(
        &sandbox,
        "keys/..v1/k2.pem",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    // Enough for each key to have many turns, whatever the timing.
    add_records(&sandbox, 200);
    let output = sandbox.run(&["sign", "--batch-size", "2"]);
    assert!(succeeded(&output).starts_with("signed 200 records"));
    let states = "SELECT count(*) FROM signing_key WHERE state = 'suspended'";
    assert_eq!(sandbox.number(states), 1);
    assert_eq!(sandbox.number(&format!("{states} AND location = 'k2.pem'")), 1);
    let output = sandbox.run(&["custody", "check", "mounted"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("k2.pem: keys/k2.pem: this is not an RSA private key"), "{shown}");
    assert!(shown.contains("  key 2 (") && shown.contains("no file has it"), "{shown}");
}

/// The links are followed when a key is opened, so that an exchanged secret is found, also under another name.
#[test]
fn a_secret_that_was_exchanged_is_found() {
    let sandbox = mounted(2);
    sandbox.ok(&["keys", "add", "--custodian", "mounted", "--all"]);
    fs::create_dir(sandbox.path("keys/..v2")).unwrap();
    for (from, to) in [("k1.pem", "k1.pem"), ("k2.pem", "renamed.pem")] {
        let content = fs::read(sandbox.path(&format!("keys/..v1/{from}"))).unwrap();
        write_secret(&sandbox, &format!("keys/..v2/{to}"), &content);
    }
    symlink("..v2", sandbox.path("keys/..new")).unwrap();
    fs::rename(sandbox.path("keys/..new"), sandbox.path("keys/..data")).unwrap();
    fs::remove_file(sandbox.path("keys/k2.pem")).unwrap();
    symlink("..data/renamed.pem", sandbox.path("keys/renamed.pem")).unwrap();
    fs::remove_dir_all(sandbox.path("keys/..v1")).unwrap();
    add_records(&sandbox, 20);
    sandbox.ok(&["sign", "--batch-size", "1"]);
    let used =
        sandbox.number("SELECT count(*) FROM signing_key WHERE signature_count > 0 AND state = 'active'");
    assert_eq!((unsigned(&sandbox), used), (0, 2));
}

#[test]
fn a_process_without_the_custodian_leaves_its_keys_to_others_and_says_so() {
    let sandbox = mounted(2);
    sandbox.ok(&["keys", "add", "--custodian", "mounted", "--all"]);
    add_records(&sandbox, 5);
    sandbox.write("empty.toml", "");
    let error = sandbox.fails(1, &["sign", "--config", "empty.toml"]);
    assert!(error.starts_with("this process can use no active key, and 5 records wait"), "{error}");
    let serve = ["serve", "--listen", "none", "--config", "empty.toml"];
    let service = Running::start(sandbox.command(&serve), sandbox.path("log"));
    until("it is at work", SOON, || sandbox.number("SELECT count(*) FROM node") == 1);
    let status = sandbox.ok(&["status"]);
    assert!(status.contains("2 active in the custody of mounted, which no node at work can use"), "{status}");
    assert!(sandbox.ok(&["keys", "list"]).contains("mounted, which no node at work can use"));
    until("it says why nothing is signed", SOON, || {
        service.log().contains("this process can use no active key")
    });
    sandbox.ok(&["sign"]);
    assert_eq!(unsigned(&sandbox), 0, "a process with the custodian has signed");
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key WHERE state <> 'active'"), 0);
}

#[test]
fn a_directory_that_goes_and_comes_back_suspends_no_key() {
    let sandbox = mounted(3);
    sandbox.ok(&["keys", "add", "--custodian", "mounted", "--all"]);
    let serve = ["serve", "--listen", "none", "--batch-size", "1"];
    let service = Running::start(sandbox.command(&serve), sandbox.path("log"));
    add_records(&sandbox, 3);
    until("all is signed", SOON, || unsigned(&sandbox) == 0);
    let (here, away) = (sandbox.path("keys"), sandbox.path("away"));
    fs::rename(&here, &away).unwrap();
    add_records(&sandbox, 3);
    until("it says why nothing is signed", SOON, || {
        service.log().contains("this process can use no active key")
    });
    assert_eq!(unsigned(&sandbox), 3);
    fs::rename(&away, &here).unwrap();
    until("all is signed again", SOON, || unsigned(&sandbox) == 0);
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key WHERE state <> 'active'"), 0);
}

#[test]
fn a_custodian_is_described_as_the_settings_say_and_mistakes_are_named() {
    let sandbox = Sandbox::migrated();
    assert!(sandbox.ok(&["custody", "check"]).contains("the settings name no custodian"));
    for (settings, error) in [
        ("[custody.a]\nkind = 'files'\ndirectory = 'x'", "unknown variant `files`"),
        ("[custody.a]\nkind = 'file'", "missing field `directory`"),
        ("[custody.a]\nkind = 'file'\ndirectory = 'x'\nfoo = 1", "unknown field `foo`"),
        ("[custody.database]\nkind = 'file'\ndirectory = 'x'", "a custodian cannot be called 'database'"),
    ] {
        sandbox.write("signwave.toml", settings);
        let shown = sandbox.fails(2, &["custody", "check"]);
        assert!(shown.contains(error), "{shown}");
    }
    sandbox.write("signwave.toml", "[custody.a]\nkind = 'file'\ndirectory = 'x'");
    let output = sandbox.run(&["custody", "check"]);
    assert!(failed(1, &output).contains("problems found: 1; see above"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("cannot be read: No such file or directory"));
}
