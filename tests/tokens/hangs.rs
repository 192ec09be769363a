//! A device that never answers.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use support::{
    process::Running,
    waiting::{timely, until},
};

use crate::{
    faults::{faulty, of_token, serve},
    outages::{SOON, no_key_is_blamed},
    site::{add_records, hosts, is_running, unsigned, users},
};

const TIMEOUT: Duration = Duration::from_secs(1);

/// What is promised beyond the timeout is a second. Tests on a busy machine have one more.
const SLACK: Duration = Duration::from_secs(2);

fn threads(service: &Running) -> usize {
    fs::read_dir(format!("/proc/{}/task", service.id())).unwrap().count()
}

#[test]
fn a_batch_is_open_again_soon_after_the_timeout_and_nothing_is_left_over() {
    let (sandbox, shim) = faulty(2, "sessions = 2\ntimeout = '1s'");
    let mut service = serve(&sandbox, &["--batch-size", "5", "--stop-grace", "5s"]);
    add_records(&sandbox, 10);
    until("all is signed", SOON, || unsigned(&sandbox) == 0);
    until("it rests", SOON, || hosts(&service).len() == 1);
    let before = threads(&service);

    let epoch = |least: i64| sandbox.number(&format!("SELECT count(*) FROM batch WHERE epoch >= {least}"));
    timely("a batch was open again", TIMEOUT + SLACK, || {
        shim.control("C_Sign.hang=1");
        let (leased, open) = (epoch(1), epoch(2));
        add_records(&sandbox, 5);
        until("a batch is leased", SOON, || epoch(1) > leased);
        let since = Instant::now();
        until("it is open again", SOON, || epoch(2) > open);
        let took = since.elapsed();
        shim.control("");
        until("all is signed", SOON, || unsigned(&sandbox) == 0);
        took
    });
    until("no thread is left over", SOON, || threads(&service) <= before);
    until("no process is left over", SOON, || hosts(&service).len() == 1);
    let host = hosts(&service)[0];
    assert_eq!(shim.open_sessions(host), 2);
    no_key_is_blamed(&sandbox);

    // A stop while it hangs.
    shim.control("C_Sign.hang=1");
    let leased = epoch(1);
    add_records(&sandbox, 5);
    until("a batch is leased", SOON, || epoch(1) > leased);
    service.signal(Signal::TERM);
    let since = Instant::now();
    let code = service.wait(SOON);
    println!("measured: it stopped after {:?} with {code:?}", since.elapsed());
    assert!(!is_running(host), "the process that hung has ended");
    until("no process is left over", SOON, || users(&shim.token).is_empty());
    assert_eq!(sandbox.number("SELECT count(*) FROM batch WHERE state = 'leased'"), 0);
    assert_eq!(sandbox.number("SELECT count(*) FROM node"), 0);
}

#[test]
fn a_device_that_hangs_and_crashes_now_and_then_signs_all() {
    let (sandbox, shim) = faulty(6, "sessions = 2\ntimeout = '1500ms'");
    let before = shim.count("C_Sign");
    for fault in ["hang", "crash", "error"] {
        shim.control(&format!("C_Sign.{fault}=5 every=60"));
        let service = serve(&sandbox, &["--batch-size", "5"]);
        add_records(&sandbox, 300);
        until("all is signed", 3 * SOON, || unsigned(&sandbox) == 0);
        assert!(service.log().contains("custodian 'hsm' has failed"), "{fault}: this proves nothing");
        no_key_is_blamed(&sandbox);
    }
    println!("measured: {} operations for 900 records", shim.count("C_Sign") - before);
}

/// The other keys go on while one device hangs, also when it hangs as it is opened.
#[test]
fn a_hang_at_any_call_holds_up_no_other_key() {
    for call in ["C_Initialize", "C_OpenSession", "C_Login", "C_FindObjectsInit", "C_SignInit"] {
        let (sandbox, shim) = faulty(1, "sessions = 1\ntimeout = '1s'");
        sandbox.ok(&["keys", "generate", "--count", "1"]);
        shim.control(&format!("{call}.hang=1"));
        let mut service = serve(&sandbox, &["--batch-size", "2", "--stop-grace", "5s"]);
        add_records(&sandbox, 20);
        until("the sealed key signs all", SOON, || unsigned(&sandbox) == 0);
        assert_eq!(of_token(&sandbox, "signature_count > 0"), 0, "{call}");
        service.signal(Signal::TERM);
        assert_eq!(service.wait(Duration::from_secs(5) + SLACK), Some(0), "{call}: {}", service.log());
        until("no process is left over", SOON, || users(&shim.token).is_empty());
        no_key_is_blamed(&sandbox);
    }
}
