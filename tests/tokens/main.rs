//! PKCS#11 tokens: the test tokens themselves, their keys, and their faults.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod at_random;
mod codes;
mod conformance;
mod devices;
mod faults;
mod hangs;
mod outages;
mod pins;
mod refusals;
mod site;
