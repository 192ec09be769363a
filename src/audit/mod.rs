//! Layer 3, the proof: every signature and every promise, checked against the database with the
//! public keys alone.
//!
//! It may run beside processes that sign. What rises meanwhile (counts) is read before and after,
//! and what was seen between must lie between; on a database at rest that leaves no room at all.

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
    store::{Store, StoreError},
};
use batches::Scan;
use findings::Findings;
use keys::KeyRing;
use totals::Totals;

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
    let (before, keys_before) = (store.counts()?, store.keys()?);
    let ring = KeyRing::new(store, engine, &keys_before, &findings);
    let mut totals = Totals::default();
    let verified = thread::scope(|scope| {
        // The database checks itself meanwhile: it would take as long as a tenth of all the rest.
        let schema = scope.spawn(|| store.audit());
        let verified = Scan { store, ring: &ring, findings: &findings, progress }.run(threads, &mut totals);
        let schema = schema.join().unwrap_or_else(|panic| resume_unwind(panic));
        schema?.into_iter().for_each(|sentence| findings.add(Problem::Schema(sentence)));
        verified
    })?;
    let (after, keys_after) = (store.counts()?, store.keys()?);
    totals.compare((before, &keys_before), (after, &keys_after), &findings);
    Ok(Report::new(&totals, verified, after, keys_after.len(), findings))
}
