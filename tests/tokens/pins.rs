//! How often a PIN is sent to a device, and where it is never seen.

use std::{fs, path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use support::{
    process::Running,
    tokens::PIN,
    waiting::{lasting, until},
};

use crate::{
    faults::{faulty, of_token, serve},
    outages::{SOON, no_key_is_blamed},
    site::{add_records, hosts, is_running, unsigned},
};

fn kill_host(service: &Running) {
    until("a process holds the token", SOON, || hosts(service).len() == 1);
    let host = hosts(service)[0];
    kill_process(Pid::from_raw(host as i32).unwrap(), Signal::KILL).unwrap();
    until("it is gone", SOON, || !is_running(host));
}

#[test]
fn a_pin_is_sent_once_for_each_start_and_never_again_once_it_was_wrong() {
    let (sandbox, shim) = faulty(1, "sessions = 3\ntimeout = '5s'");
    sandbox.ok(&["keys", "generate", "--count", "1"]);
    let first = shim.count("C_Login");
    let logins = || shim.count("C_Login") - first;
    let service = serve(&sandbox, &["--batch-size", "1"]);
    let signs = || {
        let before = sandbox.number("SELECT signature_count FROM signing_key WHERE custody = 'hsm'");
        until("the token signs", SOON, || {
            add_records(&sandbox, 10); // enough that the token gets some, beside the faster key
            sandbox.number("SELECT signature_count FROM signing_key WHERE custody = 'hsm'") > before
        });
    };
    signs();
    assert_eq!(logins(), 1, "all sessions have one login");
    for kill in 1..=3 {
        kill_host(&service);
        until("it logs in", SOON, || logins() == 1 + kill);
        signs();
        assert_eq!(logins(), 1 + kill);
    }
    fs::write(&shim.token.pin_file, "15926535\n").unwrap();
    kill_host(&service);
    until("it says so", SOON, || service.log().contains("its PIN must not be tried again"));
    assert_eq!(logins(), 5);
    lasting(Duration::from_secs(4));
    add_records(&sandbox, 10);
    until("the sealed key signs all", SOON, || unsigned(&sandbox) == 0);
    assert_eq!((logins(), hosts(&service).len()), (5, 0), "it is not tried again");
    no_key_is_blamed(&sandbox);
    drop(service);
    // What each start tries once, it tries once, whatever its token says to it.
    for refusal in [0xa0, 0xa4, 0xa3, 0x30] {
        let before = shim.count("C_Login");
        shim.control(&format!("C_Login.error={refusal:#x}"));
        let service = serve(&sandbox, &["--batch-size", "1"]);
        add_records(&sandbox, 5);
        until("the sealed key signs all", SOON, || unsigned(&sandbox) == 0);
        until("it says that it cannot log in", SOON, || service.log().contains("ERROR"));
        lasting(Duration::from_secs(3));
        let tried = shim.count("C_Login") - before;
        // A token that fails says nothing of the PIN, so it has a second attempt, which leaves one of three.
        assert!(
            tried == 1 || refusal == 0x30 && tried == 2,
            "{refusal:#x}: {tried} logins\n{}",
            service.log()
        );
        assert!(!service.log().contains("15926535"));
    }
}

/// Flags of the token: 0x20000 says that one wrong PIN more locks it, 0x40000 that it is locked.
#[test]
fn a_token_that_is_about_to_be_locked_gets_no_pin() {
    for flags in ["token_flags=0x20000", "token_flags=0x40000"] {
        let (sandbox, shim) = faulty(1, "sessions = 1\ntimeout = '5s'");
        let before = shim.count("C_Login");
        shim.control(flags);
        let service = serve(&sandbox, &["--batch-size", "1"]);
        add_records(&sandbox, 1);
        until("it says so", SOON, || service.log().contains("its PIN must not be tried again"));
        lasting(Duration::from_secs(2));
        assert_eq!(shim.count("C_Login"), before, "{flags}");
        assert_eq!(of_token(&sandbox, "state = 'active'"), 1);
    }
}

#[test]
fn the_pin_is_in_no_log_no_row_no_argument_and_no_environment() {
    let (sandbox, shim) = faulty(2, "sessions = 2\ntimeout = '5s'");
    let service = serve(&sandbox, &["-vvv", "--batch-size", "5"]);
    add_records(&sandbox, 20);
    until("it signs", SOON, || unsigned(&sandbox) < 20);
    for process in [service.id(), hosts(&service)[0]] {
        for file in ["cmdline", "environ", "status"] {
            let path = format!("/proc/{process}/{file}");
            assert!(!has_pin(path.as_ref()), "{path}");
        }
    }
    until("all is signed", SOON, || unsigned(&sandbox) == 0);
    shim.control("C_Login.error=0xa0");
    kill_host(&service);
    until("it says so", SOON, || service.log().contains("its PIN must not be tried again"));
    drop(service);
    assert!(has_pin(&shim.token.pin_file), "this test finds what it looks for");
    let names = sandbox.files().into_iter().filter(|name| name != "pin" && sandbox.path(name).is_file());
    let with_pin: Vec<_> = names.filter(|name| has_pin(&sandbox.path(name))).collect();
    assert_eq!(with_pin, Vec::<String>::new());
}

fn has_pin(path: &Path) -> bool {
    fs::read(path).unwrap().windows(PIN.len()).any(|window| window == PIN.as_bytes())
}
