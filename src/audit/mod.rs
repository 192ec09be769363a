//! Layer 3, the proof: every signature and every promise, checked against the database with the
//! public keys alone.
//!
//! The rules are the domain's ([`crate::domain::promises`]); what is here reads the database for them, in
//! pages and on many threads. It may run beside processes that sign: what looks wrong only because it
//! changed meanwhile is read again before it is called a problem.

mod batches;
mod findings;
mod keys;
mod problem;
mod record;
mod report;
mod scan;
mod signatures;

use std::{collections::HashMap, panic::resume_unwind, thread};

pub use problem::Problem;
pub use record::{RecordVerdict, check_record};
pub use report::Report;

use crate::{
    domain::promises::{Batches, Counts, check_counts},
    signer::Engine,
    store::{Audit, KeyRow, StoreError},
};
use findings::Findings;
use keys::VerifyingKeys;
use scan::Scan;

/// Checks the whole database on `threads` threads with `engine`, and tells `progress` of every
/// piece done: how many records it had.
///
/// # Errors
/// When the database cannot be read. Whatever is wrong *in* it is a [`Problem`] of the report.
pub fn check_all(
    store: &dyn Audit,
    engine: Engine,
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report, StoreError> {
    let findings = Findings::default();
    let keys_before = store.keys()?;
    let keys = VerifyingKeys::new(store, engine, &keys_before, &findings);
    let mut batches = Batches::default();
    let (verified, counts) = thread::scope(|scope| {
        // The database checks itself meanwhile: that takes as long as a tenth of all the rest.
        let whole = scope.spawn(|| check_whole(store, &findings));
        let verified =
            Scan { store, keys: &keys, findings: &findings, progress }.run(threads, &mut batches)?;
        let counts = whole.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok::<_, StoreError>((verified, counts))
    })?;
    let keys_after = store.keys()?;
    check_keys(&batches, &keys_before, &keys_after, &findings);
    Ok(Report::new(batches.by_state(), verified, counts, keys_after.len(), findings))
}

/// What is not a matter of single batches: the schema, and the number of rows.
fn check_whole(store: &dyn Audit, findings: &Findings) -> Result<Counts, StoreError> {
    store.audit()?.into_iter().for_each(|sentence| findings.add(Problem::Schema(sentence)));
    let counts = store.counts()?;
    check_counts(counts).into_iter().for_each(|breach| findings.add(breach));
    Ok(counts)
}

/// What the keys counted before their batches were read, and after.
fn check_keys(batches: &Batches, before: &[KeyRow], after: &[KeyRow], findings: &Findings) {
    let before: HashMap<_, _> = before.iter().map(|key| (key.id, key.signature_count)).collect();
    for key in after {
        let before = before.get(&key.id).copied().unwrap_or(0);
        let wrong = batches.check_key(key.id, before, key.signature_count);
        wrong.into_iter().for_each(|breach| findings.add(breach));
    }
}
