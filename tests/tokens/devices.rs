//! What the other tests here rely on: two kinds of token that sign, and a module that faults as it is told.

use std::{fs, path::Path, time::Duration};

use support::{
    openssl::openssl,
    process::{Running, tool},
    sandbox::{Sandbox, succeeded},
    tokens::{PIN, Server, Shim, Token},
    waiting::{lasting, until},
};

const ID: &str = "a1";

/// Signs a digest by `pkcs11-tool`, with PS256, and says whether openssl accepts the signature, or what went wrong.
fn sign(token: &Token, folder: &Path) -> Result<bool, String> {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    fs::write(path("digest"), [7; 32]).unwrap();
    let [digest, signature] = ["digest", "signature"].map(path);
    let scheme = ["--mechanism", "RSA-PKCS-PSS", "--hash-algorithm", "SHA256", "--mgf", "MGF1-SHA256"];
    let files = ["--id", ID, "--input-file", &digest, "--output-file", &signature];
    let output = token.as_user(&[&["--sign"][..], &scheme, &files].concat());
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    let options = "-pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:32 -pkeyopt digest:sha256";
    let verify = format!("pkeyutl -verify -pubin -inkey public.der -keyform DER -in digest {options}");
    let verdict = std::process::Command::new("openssl")
        .args(verify.split(' '))
        .args(["-sigfile", "signature"])
        .current_dir(folder)
        .output()
        .unwrap();
    Ok(verdict.status.success())
}

/// A token with a key, whose public half is in the folder.
fn with_key(token: Token, folder: &Path) -> Token {
    fs::write(folder.join("public.der"), token.generate(ID, 2048)).unwrap();
    openssl(folder, "pkey -pubin -inform DER -in public.der -noout");
    token
}

fn soft(folder: &Path) -> Token {
    with_key(Token::softhsm(folder), folder)
}

#[test]
fn both_kinds_sign_also_through_the_module_and_the_server() {
    for start in [Token::softhsm, Token::kryoptic] {
        let (sandbox, other) = (Sandbox::new(), Sandbox::new());
        let (folder, other) = (sandbox.path(""), other.path(""));
        let token = with_key(start(&folder), &folder);
        assert_eq!(sandbox.mode("pin"), 0o600);
        let server = Server::start(&token, &other);
        for token in [&token, &Shim::of(&token).token, &server.token] {
            assert_eq!(sign(token, &folder), Ok(true), "{}", token.module.display());
        }
        let section = token.section("hsm", "timeout = \"2s\"");
        assert!(section.contains("[custody.hsm]") && !section.contains(PIN), "{section}");
    }
}

#[test]
fn each_fault_comes_as_told_and_goes() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("");
    let shim = Shim::of(&soft(&folder));
    let _another = shim.token.generate("a2", 2048);
    for (faults, function, result) in [
        ("C_Sign.error=0x30", "C_Sign", 0x30),
        ("C_Login.error=0xa0", "C_Login", 0xa0),
        ("C_Initialize.error=5", "C_Initialize", 5),
        ("C_OpenSession.error=0xb1", "C_OpenSession", 0xb1),
        ("absent=1", "C_GetSlotList", 0),
    ] {
        shim.control(faults);
        let before = shim.calls().len();
        sign(&shim.token, &folder).expect_err(faults);
        let mut calls = shim.calls().into_iter().skip(before);
        assert!(calls.any(|call| call.function == function && call.result == result), "{faults}");
    }
    for wrong in ["flip=1", "other=1", "salt=10"] {
        shim.control(wrong);
        assert_eq!(sign(&shim.token, &folder), Ok(false), "{wrong}");
    }
    // pkcs11-tool starts anew for each signature, so that its first one is never the second.
    for right in ["C_Sign.error=0x30 every=2", "C_Sign.delay_us=1", ""] {
        shim.control(right);
        assert_eq!(sign(&shim.token, &folder), Ok(true), "{right}");
    }
}

#[test]
fn calls_and_sessions_are_counted() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("");
    let shim = Shim::of(&soft(&folder));
    assert_eq!(sign(&shim.token, &folder), Ok(true));
    let calls = shim.calls();
    for function in ["C_Initialize", "C_Login", "C_OpenSession", "C_SignInit", "C_Sign"] {
        assert_eq!(shim.count(function), 1, "{function}: {calls:?}");
    }
    assert_eq!(shim.open_sessions(calls[0].process), 0, "{calls:?}");
}

#[test]
fn a_call_that_hangs_ends_with_its_process_only() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("");
    let shim = Shim::of(&soft(&folder));
    shim.control("C_Sign.hang=1");
    sandbox.write("digest", [7; 32]);
    let mut command = sandbox.program("pkcs11-tool", &["--login", "--pin", PIN, "--sign", "--id", ID]);
    command.arg("--module").arg(&shim.token.module).args(["--mechanism", "RSA-PKCS", "-i", "digest"]);
    command.envs(shim.token.environment.iter().map(|(name, value)| (name, value)));
    let mut signing = Running::start(command, sandbox.path("log"));
    until("the operation hangs", Duration::from_secs(20), || shim.count("hang") == 1);
    shim.control("");
    lasting(Duration::from_millis(100));
    assert!(signing.is_running());
    assert_eq!((shim.count("C_Sign"), shim.open_sessions(signing.id())), (0, 1));
}

#[test]
fn a_server_that_was_killed_serves_again_at_the_same_place() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("");
    let token = soft(&folder);
    let mut server = Server::start(&token, &folder);
    server.kill();
    sign(&server.token, &folder).expect_err("there is no server");
    server.restart();
    assert_eq!(sign(&server.token, &folder), Ok(true));
    let listed = succeeded(&server.token.tool(&["--list-objects"]));
    assert!(listed.contains(ID), "{listed}");
    assert!(tool("kryoptic/libkryoptic_pkcs11.so").ends_with(".so"));
}
