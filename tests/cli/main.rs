//! The real binary, as people and scripts use it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accepted;
mod anchored;
mod bad_input;
mod bad_keys;
mod bad_system;
mod bundles;
mod certificates;
mod custody;
mod engines;
mod export;
mod export_bundles;
mod export_to;
mod feed;
mod healed;
mod help;
mod import;
mod import_texts;
mod key_files;
mod keys;
mod limits;
mod outlets;
mod readme;
mod rotate_master;
mod settings;
mod tamper;
mod tamper_ledger;
mod tokens;
mod verify;
