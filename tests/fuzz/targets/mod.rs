//! What is fuzzed: each target hands bytes to one parser, and asserts what must hold of the result.
//!
//! `tests/fuzz` runs them on kept corpora and seeded mutations, `fuzz/` guided by coverage.

mod access;
mod addresses;
mod bundles;
mod imports;
mod keys;
mod lanes;
mod requests;
mod settings;
mod texts;
mod tokens;

/// A parser of bytes from outside.
pub struct Target {
    /// Also the name of the folder of its corpus.
    pub name: &'static str,
    /// Panics when something does not hold.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($group:ident::$name:ident),* $(,)?) => {
        /// Every target.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), run: $group::$name }),*];
    };
}

targets![
    keys::private_key,
    keys::public_key,
    keys::sealed_key,
    keys::master_key,
    imports::import_csv,
    imports::import_jsonl,
    imports::import_lines,
    requests::prefer,
    requests::idempotency_key,
    requests::json_lines,
    settings::config_file,
    settings::arguments,
    settings::database_url,
    texts::record_runs,
    texts::names,
    texts::queries,
    texts::server_errors,
    access::token,
    access::certificate,
    keys::certificate_chain,
    tokens::token_location,
    tokens::token_answers,
    lanes::lanes_kernels,
    lanes::lanes_keys,
    bundles::bundle,
    addresses::webhook_address,
    addresses::broker_address,
];

/// The bytes as text; what is none never reaches a parser of texts.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// An error that a person reads: short, without anything that moves the cursor, and without an address
/// that may hold a password.
#[track_caller]
fn readable(error: &str) {
    assert!(error.chars().count() <= 500, "{} characters: {error:.100}", error.chars().count());
    assert!(!error.contains(char::is_control), "control characters: {error:?}");
    for (at, _) in error.match_indices("://") {
        let after = &error[at + 3..];
        assert!(
            ["..", "PATH", " takes", "USER"].iter().any(|harmless| after.starts_with(harmless)),
            "an address: {error}"
        );
    }
}
