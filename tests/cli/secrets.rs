//! Nothing secret is ever printed, nor stored in the clear.

use std::{fs, path::Path};

use data_encoding::BASE64;

use crate::sandbox::Sandbox;

#[test]
fn master_key_passphrase_password_and_private_keys_are_never_shown() {
    let sandbox = Sandbox::new();
    let key = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cli/shared-prime-1.pem"),
    )
    .unwrap();
    sandbox.write("key.pem", &key);
    sandbox.write("copy.pem", &key);
    let encrypt = "pkcs8 -topk8 -in key.pem -v2 aes-256-cbc -passout pass:sesame-street -out encrypted.pem";
    assert!(sandbox.program("openssl", &encrypt.split(' ').collect::<Vec<_>>()).status().unwrap().success());
    sandbox.ok(&["keys", "init-master", "master"]);
    let master = sandbox.read("master").trim().to_owned();
    let secrets: Vec<&str> = [master.as_str(), "sesame-street", "hunter2"]
        .into_iter()
        .chain(key.lines().filter(|line| line.len() == 64))
        .collect();

    let mut said = String::new();
    let mut say = |arguments: &[&str]| {
        let mut command = sandbox.command(&[&["-vvv"], arguments].concat());
        command.env("SIGNWAVE_MASTER_KEY", &master).env("SIGNWAVE_PASSPHRASE", "sesame-street");
        let output = command.output().unwrap();
        said += &String::from_utf8_lossy(&[output.stdout, output.stderr].concat());
    };
    for arguments in [
        &["seed", "--records", "20", "--keys", "1"][..],
        &["keys", "import", "encrypted.pem"],
        &["keys", "import", "copy.pem"],
        &["keys", "import", "no.pem"],
        &["keys", "list", "--json"],
        &["keys", "show", "2"],
        &["sign", "--log-format", "json"],
        &["verify"],
        &["export", "--with-payload"],
        &["status", "--database", "postgres://user:hunter2@127.0.0.1:1/name"],
        &["status", "--database", "mysql://user:hunter2@host/name"],
        &["sign", "--master-key-file", "master"],
        &["--help"],
        &["sign", "--help"],
    ] {
        say(arguments);
    }
    for (name, value) in [
        ("DATABASE_URL", "postgres://user:hunter2@127.0.0.1:1/name"),
        ("SIGNWAVE_DATABASE", "x://user:hunter2@h/n"),
        ("SIGNWAVE_MASTER_KEY", "hunter2"),
    ] {
        for arguments in [&["keys", "generate"][..], &["--help"], &["migrate"], &["keys", "--nonsense"]] {
            let output = sandbox.command(arguments).env(name, value).output().unwrap();
            said += &String::from_utf8_lossy(&[output.stdout, output.stderr].concat());
        }
    }
    assert!(said.contains("it is there already"), "the commands did their work: {said}");
    assert!(said.contains("signatures"), "{said}");
    for secret in &secrets {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    assert_eq!(sandbox.number("SELECT count(*) FROM signature"), 20);
}

#[test]
fn the_database_holds_no_private_key_in_the_clear() {
    let sandbox = Sandbox::migrated();
    let pem = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cli/shared-prime-1.pem"),
    )
    .unwrap();
    sandbox.write("key.pem", &pem);
    sandbox.ok(&["keys", "import", "key.pem"]);
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64.decode(base64.as_bytes()).unwrap();
    let files: Vec<u8> = sandbox
        .files()
        .iter()
        .filter(|name| name.starts_with("signwave.db"))
        .flat_map(|name| fs::read(sandbox.path(name)).unwrap())
        .collect();
    let holds = |part: &[u8]| files.windows(part.len()).any(|window| window == part);
    // PKCS#1 (RFC 8017, A.1.2): the modulus comes first, and is public; what follows it is not.
    assert!(holds(&der[20..60]), "the modulus is there");
    for start in (300..der.len() - 24).step_by(24) {
        assert!(!holds(&der[start..start + 24]), "private bytes at {start}");
    }
    assert_eq!(sandbox.mode("signwave.db"), 0o600);
}
