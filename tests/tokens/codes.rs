//! Whom each error of a device is blamed on: the key is suspended, or the device is opened again.

use support::{
    random::{Random, count},
    waiting::until,
};

use crate::{
    faults::{faulty, of_token, serve},
    outages::{SOON, no_key_is_blamed},
    site::{add_records, unsigned},
};

/// Errors that a device returns for troubles of every kind.
const OF_DEVICE: [(u64, &str); 15] = [
    (0x05, "GENERAL_ERROR"),
    (0x06, "FUNCTION_FAILED"),
    (0x02, "HOST_MEMORY"),
    (0x30, "DEVICE_ERROR"),
    (0x31, "DEVICE_MEMORY"),
    (0x32, "DEVICE_REMOVED"),
    (0x50, "FUNCTION_CANCELED"),
    (0x90, "OPERATION_ACTIVE"),
    (0x91, "OPERATION_NOT_INITIALIZED"),
    (0xb0, "SESSION_CLOSED"),
    (0xb3, "SESSION_HANDLE_INVALID"),
    (0xe0, "TOKEN_NOT_PRESENT"),
    (0x101, "USER_NOT_LOGGED_IN"),
    (0x190, "CRYPTOKI_NOT_INITIALIZED"),
    (0x8000_0001, "VENDOR_DEFINED"),
];

/// Errors that name the key, or what it cannot do.
const OF_KEY: [(u64, &str); 5] = [
    (0x60, "KEY_HANDLE_INVALID"),
    (0x68, "KEY_FUNCTION_NOT_PERMITTED"),
    (0x70, "MECHANISM_INVALID"),
    (0x21, "DATA_LEN_RANGE"),
    (0x82, "OBJECT_HANDLE_INVALID"),
];

/// So many of them, as chance has it.
fn some<const N: usize>(codes: [(u64, &'static str); N], random: &mut Random) -> Vec<(u64, &'static str)> {
    let mut codes = Vec::from(codes);
    let wanted = count("TEST_CODES", 3).min(codes.len());
    while codes.len() > wanted {
        codes.swap_remove(random.below(codes.len() as u64) as usize);
    }
    codes
}

#[test]
fn an_error_of_the_device_blames_no_key_and_signing_goes_on_after_it() {
    let (sandbox, shim) = faulty(2, "sessions = 2\ntimeout = '5s'");
    let service = serve(&sandbox, &["--batch-size", "5"]);
    for (code, name) in some(OF_DEVICE, &mut Random::new()) {
        add_records(&sandbox, 10);
        until("all is signed", SOON, || unsigned(&sandbox) == 0);
        let failures = || service.log().matches("custodian 'hsm' has failed").count();
        let before = failures();
        shim.control(&format!("C_Sign.error={code:#x} stuck=1"));
        add_records(&sandbox, 10);
        until(name, SOON, || failures() > before);
        shim.control("");
        until("all is signed again", SOON, || unsigned(&sandbox) == 0);
        no_key_is_blamed(&sandbox);
    }
}

#[test]
fn an_error_that_names_the_key_suspends_it_and_the_device_stays_in_use() {
    let (sandbox, shim) = faulty(1, "sessions = 2\ntimeout = '5s'");
    let service = serve(&sandbox, &["--batch-size", "5"]);
    for (code, name) in some(OF_KEY, &mut Random::new()) {
        add_records(&sandbox, 10);
        until("all is signed", SOON, || unsigned(&sandbox) == 0);
        shim.control(&format!("C_Sign.error={code:#x}"));
        add_records(&sandbox, 10);
        until(name, SOON, || of_token(&sandbox, "state = 'suspended'") == 1);
        let reason = sandbox.rows("SELECT 0 AS number, state_reason AS text FROM signing_key");
        assert!(reason[0].1.contains(&format!("CKR_{name}")), "{reason:?}");
        shim.control("");
        sandbox.ok(&["keys", "enable", "1"]);
    }
    until("all is signed", SOON, || unsigned(&sandbox) == 0);
    assert!(!service.log().contains("custodian 'hsm' has failed"), "{}", service.log());
    no_key_is_blamed(&sandbox);
}
