//! What every token must do: keys made in it and added sign in a real run, under every scheme, as openssl verifies it.

use std::{fs, process::Command, time::Duration};

use signwave::domain::Scheme;
use support::{
    process::Running,
    sandbox::{Sandbox, succeeded},
    tokens::{PIN, Token},
    waiting::until,
};

use crate::site::{self, add_records, unsigned};

const SOON: Duration = Duration::from_secs(60);

/// The options of openssl that verify a scheme.
fn options(scheme: Scheme) -> String {
    let digest = scheme.name().replace("PS", "sha").replace("RS", "sha");
    if scheme.is_pss() {
        let padding = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -sigopt rsa_mgf1_md:";
        format!("-{digest} {padding}{digest}")
    } else {
        format!("-{digest} -sigopt rsa_padding_mode:pkcs1")
    }
}

/// Has openssl verify every signature in the database.
fn verify_by_openssl(sandbox: &Sandbox, count: usize) {
    sandbox.ok(&["export", "--with-payload", "-o", "signed.jsonl"]);
    let exported = sandbox.read("signed.jsonl");
    assert_eq!(exported.lines().count(), count);
    for line in exported.lines() {
        let signed: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| signed[name].as_str().unwrap_or_else(|| panic!("{name}: {line}")).to_owned();
        let pem = sandbox.ok(&["keys", "show", &text("fingerprint"), "--pem"]);
        sandbox.write("public.pem", pem);
        for (file, field) in [("payload", "payload_base64"), ("signature", "signature")] {
            sandbox.write(file, data_encoding::BASE64.decode(text(field).as_bytes()).unwrap());
        }
        let scheme: Scheme = text("scheme").parse().unwrap();
        let mut verify = Command::new("openssl");
        verify.arg("dgst").args(options(scheme).split(' '));
        verify.args(["-verify", "public.pem", "-signature", "signature", "payload"]);
        let output = verify.current_dir(sandbox.path("")).output().unwrap();
        assert_eq!(succeeded(&output), "Verified OK\n", "{scheme}");
    }
}

/// Keys of three sizes, made by 'keys generate' and by another tool, sign under each scheme.
fn conforms(start: fn(&std::path::Path) -> Token) {
    let (sandbox, token) = site::with_token(start);
    for bits in ["2048", "3072", "4096"] {
        let made = sandbox.ok(&["keys", "generate", "--custodian", "hsm", "--bits", bits]);
        assert_eq!(made.lines().count(), 1, "{made}");
    }
    token.generate("a1", 2048);
    let added = sandbox.ok(&["keys", "add", "--custodian", "hsm", "--id", "a1"]);
    assert_eq!(added.lines().count(), 1);
    assert_eq!(sandbox.ok(&["keys", "add", "--custodian", "hsm", "--all"]), "", "all are there already");
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key WHERE sealed_key IS NULL"), 4);
    let sizes = sandbox.rows("SELECT bits AS number, location AS text FROM signing_key ORDER BY id");
    assert_eq!(sizes.iter().map(|row| row.0).collect::<Vec<_>>(), [2048, 3072, 4096, 2048]);
    assert_eq!(sizes[3].1, "id=%A1;object=a1");
    for scheme in Scheme::ALL {
        add_records(&sandbox, 8);
        let signed = sandbox.ok(&["sign", "--batch-size", "2", "--scheme", scheme.name()]);
        assert!(signed.starts_with("signed 8 records in 4 batches"), "{scheme}: {signed}");
    }
    assert!(!sandbox.path("signwave.db.master").exists(), "no key is sealed, so no master key was needed");
    let used =
        sandbox.number("SELECT count(*) FROM signing_key WHERE signature_count = 12 AND state = 'active'");
    assert_eq!(used, 4, "each key has signed under each scheme");
    assert!(sandbox.ok(&["verify"]).contains("verified    48 signatures"));
    verify_by_openssl(&sandbox, 48);
    let check = sandbox.ok(&["custody", "check"]);
    for line in ["custodian hsm: the token '", "label 'a1': key 4, active", "signs with all six schemes"] {
        assert!(check.contains(line), "{line}: {check}");
    }
    served(&sandbox);
}

/// The same keys sign in a service, whose processes show the PIN nowhere.
fn served(sandbox: &Sandbox) {
    let serve = ["serve", "--listen", "none", "--batch-size", "3"];
    let service = Running::start(sandbox.command(&serve), sandbox.path("log"));
    add_records(sandbox, 30);
    until("all is signed", SOON, || unsigned(sandbox) == 0);
    let hosts = site::hosts(&service);
    assert_eq!(hosts.len(), 1, "one process holds the token");
    for process in [service.id(), hosts[0]] {
        for file in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{process}/{file}")).unwrap();
            assert!(!String::from_utf8_lossy(&text).contains(PIN), "{file}");
        }
    }
    let environment = fs::read(format!("/proc/{}/environ", hosts[0])).unwrap();
    let variables = environment.split(|byte| *byte == 0).filter(|variable| !variable.is_empty());
    assert_eq!(variables.count(), 1, "its environment is what the settings give it");
    assert!(!service.log().contains(PIN));
    for file in ["signwave.db", "signwave.db-wal"] {
        let bytes = fs::read(sandbox.path(file)).unwrap();
        assert!(!bytes.windows(PIN.len()).any(|window| window == PIN.as_bytes()), "{file}");
    }
    assert!(sandbox.ok(&["verify"]).contains("verified    78 signatures"));
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key WHERE state <> 'active'"), 0);
    let host = hosts[0];
    drop(service); // it is killed
    until("its child has gone, too", SOON, || !site::is_running(host));
}

#[test]
fn softhsm_signs_under_every_scheme() {
    conforms(Token::softhsm);
}

#[test]
fn kryoptic_signs_under_every_scheme() {
    conforms(Token::kryoptic);
}
