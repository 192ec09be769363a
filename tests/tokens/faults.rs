//! Devices that sign wrongly, forget their sessions, or have few of them.

use std::{fs, time::Duration};

use rustix::process::Signal;
use support::{
    process::Running,
    random::count,
    sandbox::Sandbox,
    tokens::{Shim, Token},
    waiting::{lasting, until},
};

use crate::{
    outages::{SOON, no_key_is_blamed},
    site::{add_records, hosts, is_running, unsigned},
};

/// A folder with a database, and with keys in a token that faults as it is told. `more` are lines of its settings.
pub fn faulty(keys: usize, more: &str) -> (Sandbox, Shim) {
    let sandbox = Sandbox::migrated();
    let shim = Shim::of(&Token::softhsm(&sandbox.path("")));
    sandbox.write("signwave.toml", shim.token.section("hsm", more));
    sandbox.ok(&["keys", "generate", "--custodian", "hsm", "--count", &keys.to_string()]);
    (sandbox, shim)
}

pub fn serve(sandbox: &Sandbox, more: &[&str]) -> Running {
    let arguments = [&["serve", "--listen", "none"], more].concat();
    Running::start(sandbox.command(&arguments), sandbox.path("log"))
}

pub fn of_token(sandbox: &Sandbox, columns: &str) -> i64 {
    sandbox.number(&format!("SELECT count(*) FROM signing_key WHERE custody = 'hsm' AND {columns}"))
}

/// Whatever a device answers: nothing wrong is stored, and after three times the key is set aside, and not the device.
fn nothing_wrong_is_stored(fault: &str, scheme: &str) {
    let results = count("TEST_RESULTS", 100);
    let (sandbox, shim) = faulty(2, "sessions = 2\ntimeout = '5s'");
    let before = shim.count("C_Sign");
    shim.control(fault);
    let service = serve(&sandbox, &["--batch-size", "20", "--scheme", scheme]);
    add_records(&sandbox, 200);
    while shim.count("C_Sign") - before < results {
        until("both keys are suspended", SOON, || of_token(&sandbox, "state = 'suspended'") == 2);
        assert_eq!(sandbox.number("SELECT count(*) FROM signature"), 0);
        for key in ["1", "2"] {
            sandbox.ok(&["keys", "enable", key]);
        }
    }
    until("both keys are suspended", SOON, || of_token(&sandbox, "state = 'suspended'") == 2);
    assert!(
        !service.log().contains("is down") && !service.log().contains("has failed, and"),
        "{}",
        service.log()
    );
    println!("measured: {} wrong results of {fault}, none stored", shim.count("C_Sign") - before);
    sandbox.ok(&["keys", "generate", "--count", "1"]);
    until("the sealed key signs all", SOON, || unsigned(&sandbox) == 0);
    assert_eq!(of_token(&sandbox, "signature_count > 0"), 0);
    sandbox.ok(&["verify"]);
    // The device is well again, and so are its keys.
    shim.control("");
    let enable = |key| sandbox.ok(&["keys", "enable", key]);
    let _both = ["1", "2"].map(enable);
    // Beside a faster key the token would get little to do.
    sandbox.ok(&["keys", "disable", "3", "--reason", "the token shall sign"]);
    until("they sign", SOON, || {
        add_records(&sandbox, 20);
        of_token(&sandbox, "signature_count > 0") == 2
    });
}

#[test]
fn a_wrong_bit_in_each_signature_is_noticed() {
    nothing_wrong_is_stored("flip=1", "PS256");
}

#[test]
fn another_key_behind_the_same_handle_is_noticed() {
    nothing_wrong_is_stored("other=1", "RS256");
}

#[test]
fn a_salt_of_another_length_is_noticed() {
    nothing_wrong_is_stored("salt=10", "PS256");
}

#[test]
fn a_digest_without_its_digest_info_is_noticed() {
    nothing_wrong_is_stored("bare=1", "RS256");
}

#[test]
fn a_batch_whose_session_expires_is_signed_with_its_next_lease() {
    for kind in ["expire=1", "idle_ms=1 C_Sign.delay_us=20000"] {
        let (sandbox, shim) = faulty(1, "sessions = 1\ntimeout = '5s'");
        let before = shim.count("C_Sign");
        shim.control("C_Sign.delay_us=20000");
        let service = serve(&sandbox, &["--batch-size", "40"]);
        add_records(&sandbox, 40);
        until("it signs", SOON, || shim.count("C_Sign") > before + 4);
        shim.control(kind);
        until("it fails", SOON, || service.log().contains("custodian 'hsm' has failed"));
        if kind.starts_with("idle") {
            shim.control("");
        }
        until("all is signed", SOON, || unsigned(&sandbox) == 0);
        // Leased, given back, leased again.
        assert_eq!(sandbox.number("SELECT max(epoch) FROM batch"), 3, "{}", service.log());
        no_key_is_blamed(&sandbox);
    }
}

#[test]
fn a_token_with_few_sessions_is_used_with_those_that_it_has_and_none_is_leaked() {
    let restarts = count("TEST_RESTARTS", 4);
    let (sandbox, shim) = faulty(3, "sessions = 4\ntimeout = '5s'");
    shim.control("sessions=2");
    for restart in 0..restarts {
        let before = shim.calls().len();
        let mut service = serve(&sandbox, &["--batch-size", "3"]);
        add_records(&sandbox, 12);
        until("it signs", SOON, || unsigned(&sandbox) < 12);
        let host = hosts(&service)[0];
        assert!(service.log().contains("allows 2 sessions, not 4"), "{}", service.log());
        assert_eq!(shim.open_sessions(host), 2);
        until("all is signed", SOON, || unsigned(&sandbox) == 0);
        service.signal(if restart % 2 == 0 { Signal::TERM } else { Signal::KILL });
        let _ = service.wait(SOON);
        until("the process that held the token has ended", SOON, || !is_running(host));
        assert_eq!(shim.open_sessions(host), 0, "each session was closed");
        let refused = |call: &&support::tokens::Call| call.function == "C_OpenSession" && call.result != 0;
        assert_eq!(shim.calls()[before..].iter().filter(refused).count(), 1, "only when it started");
    }
    no_key_is_blamed(&sandbox);
}

/// Some devices close sessions that were idle for half a minute.
#[test]
fn after_an_idle_minute_the_next_batch_is_signed_at_once() {
    let idle = count("TEST_IDLE_SECONDS", 0);
    let (sandbox, shim) = faulty(1, "sessions = 3\ntimeout = '5s'");
    shim.control("idle_ms=30000");
    let service = serve(&sandbox, &["--batch-size", "1"]);
    for _ in 0..2 {
        add_records(&sandbox, 1);
        until("it is signed", SOON, || unsigned(&sandbox) == 0);
        lasting(Duration::from_secs(idle as u64));
    }
    // One after the other, each session has its turn.
    add_records(&sandbox, 6);
    until("all is signed", SOON, || unsigned(&sandbox) == 0);
    assert!(!service.log().contains("has failed"), "{}", service.log());
    assert_eq!(sandbox.number("SELECT max(epoch) FROM batch"), 1, "each was signed with its first lease");
    assert_eq!(hosts(&service).len(), 1);
    drop(service);
    assert!(fs::metadata(sandbox.path("pin")).is_ok());
}
