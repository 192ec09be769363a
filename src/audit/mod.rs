//! Layer 3, the proof: every signature and every promise, checked against the database with the
//! public keys alone.
//!
//! It may run beside processes that sign: what looks wrong only because it changed meanwhile is read
//! again before it is called a problem.

mod batches;
mod findings;
mod keys;
mod problem;
mod record;
mod report;
mod signatures;
mod totals;

use std::{panic::resume_unwind, thread};

pub use problem::Problem;
pub use record::{RecordVerdict, check_record};
pub use report::Report;

use crate::{
    signer::Engine,
    store::{Counts, Store, StoreError},
};
use batches::Scan;
use findings::Findings;
use keys::KeyRing;
use totals::{Totals, check_counts};

/// Checks the whole database on `threads` threads with `engine`, and tells `progress` of every
/// piece done: how many records it had.
///
/// # Errors
/// When the database cannot be read. Whatever is wrong *in* it is a [`Problem`] of the report.
pub fn check_all(
    store: &dyn Store,
    engine: Engine,
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report, StoreError> {
    let findings = Findings::default();
    let keys_before = store.keys()?;
    let ring = KeyRing::new(store, engine, &keys_before, &findings);
    let mut totals = Totals::default();
    let (verified, counts) = thread::scope(|scope| {
        // The database checks itself meanwhile: that takes as long as a tenth of all the rest.
        let whole = scope.spawn(|| check_whole(store, &findings));
        let verified =
            Scan { store, ring: &ring, findings: &findings, progress }.run(threads, &mut totals)?;
        let counts = whole.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok::<_, StoreError>((verified, counts))
    })?;
    let keys = store.keys()?;
    totals.check_keys(&keys_before, &keys, &findings);
    Ok(Report::new(totals.batches, verified, counts, keys.len(), findings))
}

/// What is not a matter of single batches: the schema, and the number of rows.
fn check_whole(store: &dyn Store, findings: &Findings) -> Result<Counts, StoreError> {
    store.audit()?.into_iter().for_each(|sentence| findings.add(Problem::Schema(sentence)));
    let counts = store.counts()?;
    check_counts(counts, findings);
    Ok(counts)
}
