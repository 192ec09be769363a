//! Layer 3, the proof: checks every signature and every promise in the database, with the public keys alone.
//!
//! The rules are in [`crate::domain::promises`]. This module reads the database for them, in pages and on many
//! threads. It may run while other processes sign: a row that may look wrong only because it changed during the
//! check is read again before it is reported.
//!
//! A [`BundledBatch`] makes bundles, and [`check_bundle`] checks one without the database.

mod anchored;
mod batches;
mod bundle;
mod bundles;
mod feed;
mod findings;
mod group;
mod keys;
mod ledger;
mod problem;
mod record;
mod report;
mod scan;
mod signatures;

use std::{collections::HashMap, panic::resume_unwind, thread};

pub use anchored::Anchor;
pub use bundle::{Disproof, Pins, Proven, check_bundle};
pub use bundles::{BundledBatch, Entries, KnownKeys, LedgerTree, NoBundle};
pub use ledger::Extent;
pub use problem::Problem;
pub use record::{RecordVerdict, check_record};
pub use report::Report;

use crate::{
    domain::promises::{Batches, Counts, check_counts},
    signer::Engine,
    store::{Audit, KeyRow, StoreError},
};
use findings::Findings;
use keys::{VerifyingKeys, check_certificates};
use scan::Scan;

/// Checks the whole database on `threads` threads with `engine`, and compares it with `anchors`. Calls `progress` after each piece, with the
/// number of records in it.
///
/// # Errors
/// When the database cannot be read. Everything wrong *in* the database is a [`Problem`] of the report.
pub fn check_all(
    store: &dyn Audit,
    engine: Engine,
    threads: usize,
    anchors: Vec<Anchor>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report, StoreError> {
    let findings = Findings::default();
    let keys_before = store.keys()?;
    let keys = VerifyingKeys::new(store, engine, &keys_before, &findings);
    check_certificates(store, &keys_before, &findings)?;
    let mut batches = Batches::default();
    let (verified, counts) = thread::scope(|scope| {
        // The database checks itself in parallel, which takes about a tenth of the time of the rest.
        let whole = scope.spawn(|| check_whole(store, &findings));
        let verified =
            Scan { store, keys: &keys, findings: &findings, progress }.run(threads, &mut batches)?;
        let counts = whole.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok::<_, StoreError>((verified, counts))
    })?;
    let keys_after = store.keys()?;
    check_keys(&batches, &keys_before, &keys_after, &findings);
    feed::check(store, &batches, &findings)?;
    let ledger = ledger::check(store, &batches, &keys_after, anchors, &findings)?;
    Ok(Report::new(batches.by_state(), verified, counts, keys_after.len(), ledger, findings))
}

/// Checks what does not concern single batches: the schema, and the number of rows.
fn check_whole(store: &dyn Audit, findings: &Findings) -> Result<Counts, StoreError> {
    store.audit()?.into_iter().for_each(|sentence| findings.add(Problem::Schema(sentence)));
    let counts = store.counts()?;
    check_counts(counts).into_iter().for_each(|breach| findings.add(breach));
    Ok(counts)
}

/// Checks the signature counts of the keys, as read before and after the batches.
fn check_keys(batches: &Batches, before: &[KeyRow], after: &[KeyRow], findings: &Findings) {
    let before: HashMap<_, _> = before.iter().map(|key| (key.id, key.signature_count)).collect();
    for key in after {
        let before = before.get(&key.id).copied().unwrap_or(0);
        let wrong = batches.check_key(key.fact(), before);
        wrong.into_iter().for_each(|breach| findings.add(breach));
    }
}
