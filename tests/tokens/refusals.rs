//! Keys that are not added, and mistakes in the settings.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use support::{
    sandbox::{Sandbox, failed, succeeded},
    tokens::{PIN, Token},
};

use crate::site;

/// Makes a key by another tool. `more` are options of pkcs11-tool.
fn make(token: &Token, id: &str, kind: &str, more: &[&str]) {
    let options = [&["--keypairgen", "--key-type", kind, "--id", id, "--label", "by hand"], more].concat();
    succeeded(&token.as_user(&options));
}

fn refused(sandbox: &Sandbox, id: &str) -> String {
    let error = sandbox.fails(1, &["keys", "add", "--custodian", "hsm", "--id", id]);
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key"), 0);
    error
}

fn refuses(start: fn(&Path) -> Token) {
    let (sandbox, token) = site::with_token(start);
    make(&token, "01", "EC:prime256v1", &["--usage-sign"]);
    assert!(refused(&sandbox, "01").contains("it is not an RSA key"));
    let none = sandbox.fails(1, &["keys", "add", "--custodian", "hsm", "--all"]);
    assert!(none.contains("has no RSA key"), "{none}");
    make(&token, "02", "rsa:2048", &["--usage-sign", "--always-auth", "--sensitive"]);
    let error = refused(&sandbox, "02");
    assert!(error.contains("CKA_ALWAYS_AUTHENTICATE"), "{error}");
    token.generate("04", 2048);
    token.generate("04", 2048);
    let error = refused(&sandbox, "04");
    assert!(
        error.contains("2 private keys with this id, so that it is not certain which is meant"),
        "{error}"
    );
    make(&token, "05", "rsa:2048", &["--usage-sign", "--sensitive", "--extractable"]);
    let output = sandbox.run(&["keys", "add", "--custodian", "hsm", "--id", "05"]);
    assert_eq!(succeeded(&output).lines().count(), 1, "it is added, with a warning");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("WARN") && said.contains("can be copied out of the token (CKA_EXTRACTABLE)"),
        "{said}"
    );
    let unknown = sandbox.fails(1, &["keys", "add", "--custodian", "hsm", "--label", "none"]);
    assert!(unknown.contains("has no such private key"), "{unknown}");
    let several = sandbox.fails(1, &["keys", "add", "--custodian", "hsm", "--label", "by hand"]);
    assert!(several.contains("3 private keys with this label"), "{several}");
    let all = sandbox.fails(1, &["keys", "add", "--custodian", "hsm", "--all"]);
    assert!(all.contains("was not added, and neither was any other key"), "{all}");
}

#[test]
fn keys_of_softhsm_that_cannot_be_used_are_refused() {
    refuses(Token::softhsm);
}

#[test]
fn keys_of_kryoptic_that_cannot_be_used_are_refused() {
    refuses(Token::kryoptic);
}

/// SoftHSM lets every key sign.
#[test]
fn a_key_that_is_not_for_signing_is_refused() {
    let (sandbox, token) = site::with_token(Token::kryoptic);
    make(&token, "03", "rsa:2048", &["--usage-decrypt", "--sensitive"]);
    let error = refused(&sandbox, "03");
    assert!(error.contains("CKA_SIGN is false"), "{error}");
}

/// Kryoptic makes no such key.
#[test]
fn a_short_key_is_refused() {
    let (sandbox, token) = site::with_token(Token::softhsm);
    make(&token, "01", "rsa:1024", &["--usage-sign"]);
    let error = refused(&sandbox, "01");
    assert!(error.contains("it has 1024 bits, and must have 2048 to 8192"), "{error}");
}

#[test]
fn arguments_of_files_and_of_tokens_are_told_apart() {
    let (sandbox, _token) = site::with_token(Token::softhsm);
    for (arguments, says) in [
        (&["add", "--custodian", "hsm", "key.pem"][..], "is a token: name a key with --id or --label"),
        (&["generate", "--custodian", "other"], "add a section [custody.other]"),
    ] {
        let error = sandbox.fails(2, &[&["keys"], arguments].concat());
        assert!(error.contains(says), "{error}");
    }
    let error = sandbox.fails(1, &["keys", "generate", "--custodian", "hsm", "--bits", "1024"]);
    assert!(error.contains("choose 2048, 3072, 4096 or 8192"), "{error}");
    for arguments in
        [&["--id", "xyz"][..], &["--id", ""], &["--id", "01", "--label", "a"], &["--all", "--id", "01"]]
    {
        let output = sandbox.run(&[&["keys", "add", "--custodian", "hsm"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn what_is_wrong_with_a_token_is_said_with_what_to_do() {
    let (sandbox, token) = site::with_token(Token::softhsm);
    let settings = sandbox.read("signwave.toml");
    let check = |from: &str, to: &str| {
        sandbox.write("signwave.toml", settings.replace(from, to));
        let output = sandbox.run(&["custody", "check", "hsm"]);
        failed(1, &output);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(!shown.contains(PIN), "{shown}");
        shown
    };
    let module = token.module.to_str().unwrap();
    for (from, to, says) in [
        (module, "/nowhere/lib.so", "the module '/nowhere/lib.so' cannot be loaded"),
        ("token = \"soft\"", "token = \"other\"", "no token has the label 'other': connect it"),
        ("token = \"soft\"", "serial = \"77\"", "no token has the serial number '77'"),
        ("SOFTHSM2_CONF", "OTHER", "no token has the label 'soft'"),
    ] {
        let shown = check(from, to);
        assert!(shown.contains(says), "{shown}");
    }
    let permissions = |mode| fs::set_permissions(&token.pin_file, fs::Permissions::from_mode(mode)).unwrap();
    permissions(0o644);
    let shown = check("", "");
    assert!(shown.contains("pin is open to others (mode 0644)"), "{shown}");
    permissions(0o600);
    for (pin, says) in [("\n", "is not a PIN"), ("wrong\n", "the token refuses the PIN in")] {
        fs::write(&token.pin_file, pin).unwrap();
        let shown = check("", "");
        assert!(shown.contains(says), "{shown}");
    }
    fs::write(&token.pin_file, format!("{PIN}\r\nmore")).unwrap();
    let shown = sandbox.ok(&["custody", "check"]);
    assert!(shown.contains("2 sessions of 2"), "{shown}");
}
