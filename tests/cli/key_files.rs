//! Key files, passphrases and master keys as they come: from other tools, by pipes, from container platforms.

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Output, Stdio},
};
use support::{
    process::copy_program,
    sandbox::{Sandbox, failed, succeeded},
};

const BINARY: &str = env!("CARGO_BIN_EXE_signwave");

/// A folder with a database and these files of `tests/fixtures/keys`.
fn sandbox(fixtures: &[&str]) -> Sandbox {
    let sandbox = Sandbox::migrated();
    for name in fixtures {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keys").join(name);
        sandbox.write(name, fs::read(path).unwrap());
    }
    sandbox
}

fn keys(sandbox: &Sandbox) -> i64 {
    sandbox.number("SELECT count(*) FROM signing_key")
}

/// Runs a line of bash, in which `$0` is the binary.
fn shell(sandbox: &Sandbox, line: &str) -> Output {
    sandbox.program("bash", &["-c", line, BINARY]).output().unwrap()
}

#[test]
fn a_key_that_is_there_is_skipped_and_the_others_are_added() {
    let sandbox = sandbox(&["k1.pem", "k2.pem"]);
    sandbox.ok(&["keys", "import", "k1.pem"]);
    let output = sandbox.run(&["keys", "import", "k1.pem", "k2.pem", "k2.pem"]);
    assert_eq!(succeeded(&output).lines().count(), 1, "the new one is printed");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("'k1.pem' is already stored, as key 1: skipped"), "{said}");
    assert!(said.contains("'k2.pem' is already stored, as 'k2.pem': skipped"), "{said}");
    assert_eq!(keys(&sandbox), 2);
    sandbox.ok(&["keys", "retire", "1", "--yes"]);
    let output = sandbox.run(&["keys", "import", "k1.pem"]);
    assert_eq!(succeeded(&output), "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("as key 1 (retired): skipped"));
}

#[test]
fn a_dash_is_standard_input_for_keys_passphrases_and_the_master_key() {
    let sandbox = sandbox(&["k1.pem", "n2049.pem", "enc_def.pem", "p_nl"]);
    succeeded(&shell(&sandbox, "$0 keys import - < k1.pem"));
    succeeded(&shell(&sandbox, "$0 keys import <(cat n2049.pem)"));
    succeeded(&shell(&sandbox, "$0 keys import enc_def.pem --passphrase-file - < p_nl"));
    succeeded(&shell(&sandbox, "$0 keys generate --master-key-file - < signwave.db.master"));
    succeeded(&shell(&sandbox, "$0 keys generate --master-key-file <(cat signwave.db.master)"));
    assert_eq!(keys(&sandbox), 5);
    for twice in ["- -", "- --passphrase-file -", "- --master-key-file -"] {
        let error = failed(2, &shell(&sandbox, &format!("$0 keys import {twice} < k1.pem")));
        assert!(error.starts_with("'-' is given twice"), "{error}");
    }
    let error = failed(1, &shell(&sandbox, "$0 keys import - < /dev/null"));
    assert!(
        error.starts_with("standard input was not imported: this is not an RSA private key: it is empty")
    );
    let made = succeeded(&shell(&sandbox, "$0 keys init-master - | tee piped; chmod 600 piped"));
    assert_eq!((made.len(), sandbox.read("piped")), (45, made));
}

#[test]
fn a_passphrase_is_the_bytes_of_a_line_whatever_an_editor_added() {
    for (key, passphrase) in
        [("enc_latin1.pem", "p_latin1"), ("enc_def.pem", "p_bom"), ("enc_def.pem", "p_nl")]
    {
        let sandbox = sandbox(&[key, passphrase]);
        sandbox.ok(&["keys", "import", key, "--passphrase-file", passphrase]);
    }
    let sandbox = sandbox(&["enc_hmacWithSHA512-256.pem", "enc_def.pem", "enc_latin1.pem", "p_nl", "k1.pem"]);
    let file = "enc_hmacWithSHA512-256.pem";
    let error = sandbox.fails(1, &["keys", "import", file, "--passphrase-file", "p_nl"]);
    assert!(error.contains("(PBKDF2 with hmacWithSHA512-256): convert it with 'openssl pkcs8"), "{error}");
    assert!(error.contains(&format!("-in {file} -out converted.pem")), "{error}");
    let error = sandbox.fails(1, &["keys", "import", "enc_def.pem"]);
    assert!(error.contains("--passphrase-file FILE or in SIGNWAVE_PASSPHRASE"), "{error}");
    succeeded(&shell(&sandbox, "SIGNWAVE_PASSPHRASE=$'Schl\\xfcssel' $0 keys import enc_latin1.pem"));
    sandbox.write("utf16", b"\xff\xfeh\0u\0");
    sandbox.write("none", "");
    for (file, reason) in [("utf16", "is UTF-16 text"), ("none", "is empty")] {
        let error = sandbox.fails(2, &["keys", "import", "enc_def.pem", "--passphrase-file", file]);
        assert!(error.contains(reason), "{error}");
    }
    // What openssl made of a file with CR LF: the CR belongs to the passphrase.
    sandbox.write("crlf", "hunter2\r\n");
    let encrypt = "openssl pkcs8 -topk8 -in k1.pem -passout file:crlf -out cr.pem";
    succeeded(&shell(&sandbox, &format!("{encrypt} && $0 keys import cr.pem --passphrase-file crlf")));
}

#[test]
fn the_command_that_converts_names_the_file_as_a_shell_wants_it() {
    let sandbox = sandbox(&["k1.pem"]);
    succeeded(&shell(&sandbox, "gzip -c k1.pem > \"it's here.gz\""));
    let error = sandbox.fails(1, &["keys", "import", "it's here.gz"]);
    let command = error.split_once("convert it with '").unwrap().1.split_once("', and import").unwrap().0;
    assert_eq!(command, "gzip -dc 'it'\\''s here.gz' > converted.pem");
    succeeded(&shell(&sandbox, &format!("{command} && $0 keys import converted.pem")));
    fs::create_dir(sandbox.path("folder")).unwrap();
    let error = sandbox.fails(1, &["keys", "import", "folder"]);
    assert!(error.ends_with("Is a directory (name the files in it)"), "{error}");
}

#[test]
fn a_key_for_pss_signs_as_it_may_and_nothing_else() {
    let sandbox = sandbox(&["pss_sha256.pem", "pss_plain.pem"]);
    sandbox.ok(&["keys", "import", "pss_sha256.pem", "pss_plain.pem"]);
    assert!(sandbox.ok(&["keys", "show", "1"]).contains("signs        PS256\n"));
    sandbox.write("r.txt", "one\ntwo\nthree\n");
    sandbox.ok(&["import", "r.txt"]);
    for command in ["sign", "serve"] {
        let error = sandbox.fails(1, &[command, "--scheme", "RS256"]);
        assert!(error.contains(" may sign with PS256 only, not with RS256"), "{error}");
    }
    assert_eq!(sandbox.number("SELECT count(*) FROM signature"), 0);
    sandbox.ok(&["sign", "--batch-size", "1"]);
    sandbox.ok(&["verify"]);
    assert_eq!(sandbox.number("SELECT count(DISTINCT key_id) FROM batch WHERE scheme = 'PS256'"), 2);
    // The same numbers without the restriction are not another key.
    let free = "openssl asn1parse -in pss_sha256.pem -strparse 74 -noout -out free.der";
    let error = failed(1, &shell(&sandbox, &format!("{free} && $0 keys import free.der")));
    assert!(error.contains("it is already stored, as key 1, which may sign PS256"), "{error}");
}

#[test]
fn a_generated_key_is_printed_as_soon_as_it_is_stored() {
    let sandbox = Sandbox::migrated();
    let mut command = sandbox.command(&["keys", "generate", "--count", "400"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Vec<_> = printed.by_ref().take(3).map(|line| line.unwrap()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let shown: Vec<_> = first.into_iter().chain(printed.map(|line| line.unwrap())).collect();
    let stored = sandbox.rows("SELECT id AS number, fingerprint AS text FROM signing_key ORDER BY id");
    let stored: Vec<_> = stored.into_iter().map(|(_, fingerprint)| fingerprint).collect();
    assert!(stored.len() < 400, "nobody waited for the last");
    assert!(
        stored.starts_with(&shown) && stored.len() <= shown.len() + 1,
        "{} {}",
        stored.len(),
        shown.len()
    );
}

#[test]
fn a_master_key_file_is_taken_as_container_platforms_set_it_up() {
    let sandbox = Sandbox::migrated();
    fs::create_dir_all(sandbox.path("mount/..data")).unwrap();
    sandbox.ok(&["keys", "init-master", "mount/..data/master"]);
    symlink("..data/master", sandbox.path("mount/master")).unwrap();
    let mode = |mode| {
        fs::set_permissions(sandbox.path("mount/..data/master"), Permissions::from_mode(mode)).unwrap()
    };
    let generate = ["keys", "generate", "--master-key-file", "mount/master"];
    let is_root = rustix::process::geteuid().is_root();
    for closed in [0o400, 0o600, 0o440, 0o640] {
        mode(closed);
        if is_root || closed & 0o070 == 0 {
            sandbox.ok(&generate);
        } else {
            assert!(sandbox.fails(1, &generate).contains("run 'chmod 600"), "{closed:o}");
        }
    }
    mode(0o444);
    assert!(sandbox.fails(1, &generate).contains("(mode 0444): run 'chmod 600 mount/master'"));
    if is_root {
        // Somebody else's file: this process cannot close it.
        copy_program(BINARY, &sandbox.path("signwave"));
        fs::set_permissions(sandbox.path(""), Permissions::from_mode(0o777)).unwrap();
        for file in sandbox.files().iter().filter(|file| file.starts_with("signwave.db")) {
            fs::set_permissions(sandbox.path(file), Permissions::from_mode(0o666)).unwrap();
        }
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "./signwave"];
        let output = sandbox.program("setpriv", &[&nobody[..], &generate].concat()).output().unwrap();
        let error = failed(1, &output);
        assert!(error.contains("defaultMode: 0440") && error.contains("SIGNWAVE_MASTER_KEY"), "{error}");
        assert!(!error.contains("chmod"), "{error}");
    }
    fs::create_dir(sandbox.path("m")).unwrap();
    let error = sandbox.fails(1, &["sign", "--master-key-file", "m"]);
    assert!(error.starts_with("the master key file m is a directory"), "{error}");
    let error = sandbox.fails(1, &["keys", "init-master", "m"]);
    assert!(error.contains("exists, and is never overwritten"), "{error}");
}

#[test]
fn what_is_nearly_a_master_key_is_named() {
    let sandbox = Sandbox::migrated();
    let key = "q7+/".repeat(10) + "q78=";
    for (text, reason) in [
        ("0123456789abcdef".repeat(4).into_bytes(), "it is hexadecimal"),
        (key.replace('+', "-").replace('/', "_").into(), "it is base64url"),
        (key.trim_end_matches('=').into(), "the '=' at its end is missing"),
        (format!("\u{feff}{key}\r\n").into(), "a byte order mark"),
        (format!(" {key}\n").into(), "spaces or empty lines"),
        (key.encode_utf16().flat_map(u16::to_le_bytes).collect(), "its format is unknown"),
        (
            [&[0xff, 0xfe], &key.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()[..]].concat(),
            "it is UTF-16",
        ),
        ((0..32).collect(), "it is 32 raw bytes"),
        (vec![], "it is empty"),
    ] {
        let text: Vec<u8> = text;
        let mut file = fs::File::create(sandbox.path("key")).unwrap();
        file.set_permissions(Permissions::from_mode(0o600)).unwrap();
        file.write_all(&text).unwrap();
        let error = sandbox.fails(1, &["sign", "--master-key-file", "key"]);
        assert!(error.starts_with("the master key is not 32 bytes in base64: "), "{error}");
        assert!(error.contains(reason), "{reason}: {error}");
    }
    sandbox.write("key", format!("{key}\r\n"));
    sandbox.ok(&["keys", "generate", "--master-key-file", "key"]);
}
