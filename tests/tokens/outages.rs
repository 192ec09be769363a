//! Tokens that fail while a service runs: other keys go on, no key is blamed, and signing goes on when they are back.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use support::{
    process::Running,
    sandbox::Sandbox,
    tokens::{PIN, Token},
    waiting::{lasting, timely, until},
};

use crate::site::{self, add_records, hosts, unsigned};

pub const SOON: Duration = Duration::from_secs(60);

/// What is promised when a token is back: it signs after two seconds. Tests on a busy machine have a bit more.
pub const BACK: Duration = Duration::from_secs(4);

/// A service with a key in a token.
fn service(sandbox: &Sandbox) -> Running {
    let serve = ["serve", "--listen", "none", "--batch-size", "1"];
    Running::start(sandbox.command(&serve), sandbox.path("log"))
}

fn with_keys(keys: usize) -> (Sandbox, Token) {
    let (sandbox, token) = site::with_token(Token::softhsm);
    let count = keys.to_string();
    sandbox.ok(&["keys", "generate", "--custodian", "hsm", "--count", &count]);
    (sandbox, token)
}

pub fn no_key_is_blamed(sandbox: &Sandbox) {
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key WHERE state <> 'active'"), 0);
    assert!(sandbox.ok(&["verify"]).contains("problems    none"));
}

#[test]
fn a_wrong_pin_is_tried_once_and_other_keys_sign() {
    let (sandbox, token) = with_keys(2);
    sandbox.ok(&["keys", "generate", "--count", "1"]);
    fs::write(&token.pin_file, "wrong\n").unwrap();
    let service = service(&sandbox);
    add_records(&sandbox, 20);
    until("the sealed key signs all", SOON, || unsigned(&sandbox) == 0);
    assert_eq!(sandbox.number("SELECT count(*) FROM signing_key WHERE signature_count > 0"), 1);
    let says = "custodian 'hsm' is not used, because its PIN must not be tried again";
    until("it says so", SOON, || service.log().contains(says));
    assert!(service.log().contains(token.pin_file.to_str().unwrap()), "{}", service.log());
    lasting(Duration::from_secs(3));
    assert_eq!(service.log().matches(says).count(), 1);
    assert!(hosts(&service).is_empty(), "nothing tries again");
    assert!(!service.log().contains("wrong\n") && !service.log().contains(PIN));
    no_key_is_blamed(&sandbox);
}

#[test]
fn a_token_that_is_missing_at_the_start_is_found_when_it_comes() {
    let (sandbox, token) = with_keys(2);
    sandbox.ok(&["keys", "generate", "--count", "1"]);
    let away = sandbox.path("away");
    fs::rename(&token.storage, &away).unwrap();
    let service = service(&sandbox);
    add_records(&sandbox, 10);
    until("the sealed key signs", SOON, || unsigned(&sandbox) == 0);
    until("it says why", SOON, || service.log().contains("custodian 'hsm' is down"));
    // Beside a faster key the token would get little to do.
    sandbox.ok(&["keys", "disable", "3", "--reason", "the token shall sign"]);
    add_records(&sandbox, 10);
    lasting(Duration::from_secs(1));
    assert_eq!(unsigned(&sandbox), 10);
    fs::rename(&away, &token.storage).unwrap();
    until("the token signs", SOON, || unsigned(&sandbox) == 0);
    sandbox.ok(&["keys", "enable", "3"]);
    no_key_is_blamed(&sandbox);
}

#[test]
fn a_token_that_goes_and_comes_back_blames_no_key() {
    let (sandbox, token) = with_keys(3);
    let service = service(&sandbox);
    let mut round = 0;
    let mut lose = || {
        round += 1;
        add_records(&sandbox, 20);
        until("it signs", SOON, || unsigned(&sandbox) < 20);
        fs::rename(&token.storage, sandbox.path("away")).unwrap();
        add_records(&sandbox, 20);
        until("it fails", SOON, || service.log().matches("is down, and is tried again").count() >= round);
        fs::rename(sandbox.path("away"), &token.storage).unwrap();
        let back = Instant::now();
        until("it signs all", SOON, || unsigned(&sandbox) == 0);
        back.elapsed()
    };
    for _ in 1..=3 {
        timely("it signed again", BACK, &mut lose);
    }
    no_key_is_blamed(&sandbox);
}

#[test]
fn a_process_that_is_killed_or_stands_still_is_replaced() {
    let (sandbox, _token) = with_keys(3);
    let service = service(&sandbox);
    for signal in [Signal::KILL, Signal::STOP, Signal::ABORT] {
        add_records(&sandbox, 30);
        until("a process holds the token", SOON, || hosts(&service).len() == 1 && unsigned(&sandbox) < 30);
        let host = hosts(&service)[0];
        kill_process(Pid::from_raw(host as i32).unwrap(), signal).unwrap();
        add_records(&sandbox, 10);
        until("all is signed", SOON, || unsigned(&sandbox) == 0);
        until("that process is gone", SOON, || !site::is_running(host));
    }
    no_key_is_blamed(&sandbox);
}

/// systemd and terminals signal every process of a service: the batches that are being signed are finished.
#[test]
fn a_stop_that_reaches_the_child_first_loses_nothing() {
    let (sandbox, _token) = with_keys(1);
    let mut service = service(&sandbox);
    // A process that has just begun does not block signals yet, and is replaced if one ends it.
    until("a process holds the token", SOON, || service.log().contains("custodian 'hsm' is up"));
    let host = hosts(&service)[0];
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        kill_process(Pid::from_raw(host as i32).unwrap(), signal).unwrap();
    }
    add_records(&sandbox, 5);
    until("it signs", SOON, || unsigned(&sandbox) == 0);
    assert_eq!(hosts(&service), [host], "it is the same process");
    service.signal(Signal::TERM);
    assert_eq!(service.wait(SOON), Some(0));
    assert!(!site::is_running(host));
}
