//! The master key, passphrases and private keys, each in every way in which it comes in.

use std::fs;

use data_encoding::BASE64;

use crate::{search::Secrets, watched::Watched};

const KEY: &str = include_str!("../fixtures/signer/other2048.pem");
const PASSPHRASE: &str = "Mz3.tQx8-vKw1_RhY6pL";

/// What every master key of these tests is.
fn master() -> String {
    BASE64.encode(&std::array::from_fn::<u8, 32, _>(|i| (i as u8).wrapping_mul(83).wrapping_add(19)))
}

fn other_master() -> String {
    BASE64.encode(&std::array::from_fn::<u8, 32, _>(|i| (i as u8).wrapping_mul(59).wrapping_add(7)))
}

fn watched() -> Watched {
    let mut secrets = Secrets::default().key("the key", KEY).text("the passphrase", PASSPHRASE);
    for (name, base64) in [("the master key", master()), ("the other master key", other_master())] {
        secrets = secrets.text(name, &base64).bytes(name, &BASE64.decode(base64.as_bytes()).unwrap());
    }
    let mut watched = Watched::new(secrets);
    watched.give("key.pem", KEY);
    watched.give("passphrase", format!("{PASSPHRASE}\n"));
    watched.sandbox.write("records.txt", "one\ntwo\nthree\n");
    for arguments in [
        "pkcs8 -topk8 -in key.pem -v2 aes-256-cbc -iter 2 -passout file:passphrase -out encrypted.pem",
        "pkcs8 -topk8 -in key.pem -scrypt -scrypt_N 2 -passout file:passphrase -outform DER -out scrypt.der",
        "rsa -in key.pem -traditional -out pkcs1.pem",
        "rsa -in key.pem -traditional -aes256 -passout file:passphrase -out traditional.pem",
        "pkcs8 -topk8 -nocrypt -in key.pem -outform DER -out pkcs8.der",
    ] {
        let words: Vec<_> = arguments.split(' ').collect();
        let output = watched.sandbox.program("openssl", &words).output().unwrap();
        assert!(output.status.success(), "{output:#?}");
        watched.is_given(words.last().unwrap());
    }
    watched.ok(&["migrate"], &[]);
    watched
}

/// Every command that may touch a key; some of them fail.
const COMMANDS: [&[&str]; 15] = [
    &["keys", "import", "key.pem"],
    &["keys", "list", "--json"],
    &["keys", "show", "1"],
    &["keys", "show", "1", "--pem"],
    &["keys", "disable", "1"],
    &["keys", "enable", "1"],
    &["keys", "import", "key.pem"],
    &["import", "records.txt"],
    &["sign"],
    &["verify"],
    &["verify", "--record", "1", "--json"],
    &["export", "--with-payload"],
    &["status", "--json"],
    &["sign", "--help"],
    &["keys", "retire", "1", "--yes"],
];

#[test]
fn the_master_key_and_the_keys_under_it_are_never_shown() {
    let master = master();
    let from_file = ["--master-key-file", "master"];
    type Way<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);
    let ways: [Way<'_>; 5] = [
        (&[], &[("SIGNWAVE_MASTER_KEY", &master)]),
        (&from_file, &[]),
        (&[], &[("SIGNWAVE_MASTER_KEY_FILE", "master")]),
        (&["--config", "settings.toml"], &[]),
        (&[], &[]), // beside the database
    ];
    for (arguments, environment) in ways {
        let mut watched = watched();
        watched.give("master", &master);
        watched.give("settings.toml", "master-key-file = 'master'");
        if (arguments, environment).0.is_empty() && environment.is_empty() {
            watched.give("signwave.db.master", &master);
        }
        for command in COMMANDS {
            watched.run(&[arguments, command].concat(), environment);
        }
        assert_eq!(
            watched.sandbox.number("SELECT count(*) FROM signature"),
            3,
            "the commands did their work"
        );
        watched.sweep();
    }
}

#[test]
fn neither_master_key_is_shown_while_one_takes_the_place_of_the_other() {
    let mut watched = watched();
    watched.give("signwave.db.master", master());
    watched.ok(&["keys", "import", "key.pem"], &[]);
    watched.give("signwave.db.master.next", other_master());
    let (current, next) = ("cat signwave.db.master", "cat signwave.db.master.next");
    let commands = ["--master-key-command", current, "--next-master-key-command", next];
    for arguments in [&[][..], &["--json"], &commands] {
        watched.ok(&[&["keys", "rotate-master"], arguments].concat(), &[]);
    }
    watched.ok(&["import", "records.txt"], &[]);
    watched.ok(&["sign"], &[("SIGNWAVE_MASTER_KEY_COMMAND", next)]);
    for (script, because) in [
        ("sh -c 'cat signwave.db.master; exit 1'", "failed (exit status: 1)"),
        ("cat signwave.db.master signwave.db.master.next", "did not print 32 bytes in base64"),
        (current, "is sealed under another master key"),
    ] {
        watched.fails(&["sign", "--master-key-command", script], &[], because);
    }
    watched.sweep();
}

#[test]
fn a_master_key_that_is_refused_is_not_shown() {
    let (master, other) = (master(), other_master());
    let mut watched = watched();
    watched.give("master", &master);
    watched.ok(&["keys", "import", "key.pem", "--master-key-file", "master"], &[]);
    watched.ok(&["import", "records.txt"], &[]);
    watched.give("other", &other);
    let malformed =
        [format!("{master}!"), format!("{master}\n{master}"), master[..40].to_owned(), format!(" {master}")];
    for (number, text) in malformed.iter().enumerate() {
        let name = format!("malformed-{number}");
        watched.give(&name, text);
        for command in [&["sign"][..], &["serve"], &["keys", "generate"], &["seed", "--keys", "1"]] {
            let because = "the master key is not 32 bytes in base64";
            watched.fails(&[command, &["--master-key-file", &name]].concat(), &[], because);
            watched.fails(command, &[("SIGNWAVE_MASTER_KEY", text)], because);
        }
    }
    for command in [&["sign"][..], &["keys", "generate"]] {
        let because = "is sealed under another master key";
        watched.fails(&[command, &["--master-key-file", "other"]].concat(), &[], because);
        watched.fails(command, &[("SIGNWAVE_MASTER_KEY", &other)], because);
        let both = [command, &["--master-key-file", "master"]].concat();
        watched.fails(&both, &[("SIGNWAVE_MASTER_KEY", &master)], "unset all but one");
        // Where a file's name belongs: it is no file, and the key is not repeated.
        watched.fails(&["keys", "nonsense"], &[("SIGNWAVE_MASTER_KEY", &master)], "unrecognized subcommand");
        watched.fails(
            command,
            &[("SIGNWAVE_MASTER_KEYS", &master)],
            "unknown environment variable SIGNWAVE_MASTER_KEYS",
        );
        watched.fails(&[command, &["--config", "master"]].concat(), &[], "master:1: ");
    }
    watched.sandbox.program("chmod", &["644", "master"]).status().unwrap();
    watched.fails(&["sign", "--master-key-file", "master"], &[], "is open to others (mode 0644)");
    // A stored key that is damaged.
    watched.sandbox.program("chmod", &["600", "master"]).status().unwrap();
    for damage in [
        "zeroblob(1200)",
        "substr(sealed_key, 1, 100)",
        "CAST(x'02' || substr(sealed_key, 2) AS blob)",
        "x''",
    ] {
        let damaged = watched.sandbox.copy();
        damaged.sql(&format!(
            "DROP TRIGGER IF EXISTS signing_key_update; UPDATE signing_key SET sealed_key = {damage}"
        ));
        let output = damaged.command(&["-vvv", "sign", "--master-key-file", "master"]).output().unwrap();
        assert!(!output.status.success(), "{damage}");
        watched.check(&[output.stdout, output.stderr].concat(), damage);
    }
    watched.sweep();
}

#[test]
fn passphrases_and_the_keys_that_they_open_are_never_shown() {
    let mut watched = watched();
    watched.give("wrong", format!("wrong {PASSPHRASE}"));
    watched.give("empty", format!("\n{PASSPHRASE}"));
    watched.give("latin1", [PASSPHRASE.as_bytes(), b"\xE9"].concat());
    let variable = |value| [("SIGNWAVE_PASSPHRASE", value)];
    let twice = format!("{PASSPHRASE}{PASSPHRASE}");
    for key in ["encrypted.pem", "scrypt.der"] {
        let import = ["keys", "import", key];
        let with = |file| [&import[..], &["--passphrase-file", file]].concat();
        watched.fails(&import, &[], "give its passphrase");
        for wrong in [&twice, ""] {
            watched.fails(&import, &variable(wrong), "the passphrase does not open the key");
        }
        watched.fails(&with("wrong"), &[], "the passphrase does not open the key");
        watched.fails(&with("empty"), &[], "the passphrase does not open the key");
        watched.fails(&with("latin1"), &[], "the passphrase does not open the key");
        watched.fails(&with("passphrase"), &variable(PASSPHRASE), "leave one out");
        watched.give("utf16", [&b"\xff\xfe"[..], PASSPHRASE.as_bytes()].concat());
        watched.fails(&with("utf16"), &[], "is UTF-16 text");
        watched.fails(&with("missing"), &[], "cannot be read");
        let given = format!("--passphrase={PASSPHRASE}");
        watched.fails(&["keys", "import", key, &given], &[], "unexpected argument '--passphrase'");
    }
    watched.ok(&["keys", "import", "encrypted.pem", "--passphrase-file", "passphrase"], &[]);
    watched.run(&["keys", "import", "scrypt.der"], &variable(PASSPHRASE)); // it is there already
    watched.fails(&["keys", "import", "traditional.pem"], &variable(PASSPHRASE), "the traditional PEM form");
    watched.is_given("signwave.db.master"); // made for this
    watched.sweep();
}

#[test]
fn key_files_that_are_refused_are_not_repeated() {
    let mut watched = watched();
    let (der, lines): (_, Vec<_>) =
        (fs::read(watched.sandbox.path("pkcs8.der")).unwrap(), KEY.lines().collect());
    let mut flipped = der.clone();
    flipped[700] ^= 1; // within its private exponent
    let one_line =
        format!("{}\n{}\n{}", lines[0], lines[1..lines.len() - 1].concat(), lines[lines.len() - 1]);
    let files: [(&str, Vec<u8>); 11] = [
        ("truncated.pem", KEY.as_bytes()[..1400].into()),
        ("truncated.der", der[..1100].into()),
        ("no-header.pem", lines[1..].join("\n").into()),
        ("no-end.pem", lines[..lines.len() - 1].join("\n").into()),
        ("label.pem", KEY.replace("PRIVATE KEY", "SECRET KEY").into()),
        ("public.pem", KEY.replace("PRIVATE KEY", "PUBLIC KEY").into()),
        ("base64.pem", one_line.replacen('A', "!", 1).into()),
        ("twice.pem", KEY.repeat(2).into()),
        ("trailing.pem", [KEY, "-----BEGIN ", lines[20]].concat().into()),
        ("flipped.der", flipped),
        ("trailing.der", [&der[..], &der[600..700]].concat()),
    ];
    for (name, content) in &files {
        watched.give(name, content);
        watched.run(&["keys", "import", name], &[("SIGNWAVE_PASSPHRASE", PASSPHRASE)]);
        // Where other files belong.
        watched.fails(&["sign", "--master-key-file", name], &[], "");
        watched.fails(&["status", "--config", name], &[], "");
        watched.fails(&["status", "--database", name], &[], "is not a Sign Wave database");
        watched.fails(&["migrate", "--database", name], &[], "is not a Sign Wave database");
        watched.fails(&["import", "--format", "jsonl", name], &[], "");
        watched.fails(&["import", "--format", "csv", name], &[], "");
    }
    assert_eq!(watched.sandbox.number("SELECT count(*) FROM signing_key"), 0);
    watched.is_given("signwave.db.master");
    watched.sweep();
}
