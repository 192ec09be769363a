//! `signwave verify`: checks the database and prints the result, or checks bundles without one.

mod bundle;

use std::{
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{context::Context, failure::ProblemsFound, progress::Unit};
use crate::{
    anchors::AnchorAddress,
    audit::{self, Anchor, Extent, RecordVerdict, Report},
    config::AnchorParser,
    domain::RecordId,
    formats::shown::{self, field, plain},
    signer::Engine,
    store::Store,
};

/// Check every signature and every promise.
#[derive(Args, Debug)]
#[command(after_help = "\
Checks every signature with the public key alone. Checks that each record of a signed batch has
exactly one signature, and no other record has one; that each record is in one batch; that no key
is in use twice; that each key has its fingerprint; that all counts are right; and that the
schema's tables, constraints, triggers, functions and views are those of the migrations. Other
processes may sign at the same time. The exit code is 1 when anything is wrong.

The ledger is computed anew from the records, their names, their signatures and the times. So each
change of these is found, unless a user with full rights computes the whole ledger anew, too, or
puts an older or another database in its place. With --anchor, the ledger is compared with what an
anchor outside of the database says, which finds that, too, up to the last entry that the anchor has.
Only the anchors that --anchor names are read, not SIGNWAVE_ANCHOR nor those of the settings file.

With --bundle no database is read. A bundle is a signed record with its receipt and a checkpoint
of the ledger. It is compared with what you pin, so take the pins from a place that you trust. With
--key alone nothing shows whose checkpoint it is, so that neither the name of the record
(external_id) nor its place is proven.

Examples:
  signwave verify
  signwave verify --record 17 --json
  signwave verify --anchor /mnt/elsewhere/signwave.anchor
  signwave verify --verifier lanes     eight signatures at once, on processors with AVX-512 IFMA
  signwave verify --verifier rsa       with another, independent implementation
  signwave verify --bundle bundles.jsonl --ledger signwave/0123456789abcdef/1+01234567+AbCd..=")]
pub struct Verify {
    /// Check this record only
    #[arg(long, value_name = "ID")]
    record: Option<i64>,
    /// Compare the ledger with what this anchor says. May be given several times
    #[arg(long, value_name = "PATH|URL", value_parser = AnchorParser, conflicts_with = "record")]
    anchor: Vec<AnchorAddress>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// The engine that verifies: aws-lc, lanes or rsa
    #[arg(long, value_name = "ENGINE", default_value_t = Engine::default())]
    verifier: Engine,
    #[command(flatten)]
    bundles: bundle::Options,
}

impl Verify {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        if self.bundles.run(self.verifier)? {
            return Ok(());
        }
        let store = context.open_to_read()?.store;
        self.verifier.prepare()?;
        match self.record {
            Some(record) => self.verify_record(store.as_ref(), RecordId(record)),
            None => {
                let (report, took) = verify_all(context, store.as_ref(), self.verifier, &self.anchor)?;
                let mut out = io::stdout().lock();
                if self.json {
                    writeln!(out, "{}", shown::json(&as_json(&report, took)))?;
                } else {
                    print(&report, took, &mut out)?;
                }
                if report.is_clean() { Ok(()) } else { bail!(ProblemsFound) }
            }
        }
    }

    fn verify_record(&self, store: &dyn Store, record: RecordId) -> Result<()> {
        let verdict = audit::check_record(store, self.verifier, record)?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", shown::json(&verdict_as_json(record, &verdict)))?;
        } else {
            match &verdict {
                RecordVerdict::Verified { fingerprint, scheme, signed_at } => {
                    writeln!(
                        out,
                        "record {record}: signed with {scheme} by key {fingerprint} at {}; the signature verifies",
                        field(signed_at)
                    )?;
                }
                RecordVerdict::NotSigned => writeln!(out, "record {record}: not signed yet")?,
                RecordVerdict::NoSuchRecord => writeln!(out, "record {record}: there is no such record")?,
                RecordVerdict::Wrong(problem) => writeln!(out, "{}", plain(&problem.to_string()))?,
            }
        }
        if matches!(verdict, RecordVerdict::Verified { .. }) { Ok(()) } else { bail!(ProblemsFound) }
    }
}

/// Checks everything on all cores, with progress. Returns the report and the time that it took.
pub fn verify_all(
    context: &Context,
    store: &dyn Store,
    engine: Engine,
    anchors: &[AnchorAddress],
) -> Result<(Report, Duration)> {
    let begun = Instant::now();
    let anchors = anchors.iter().map(Anchor::open).collect::<Result<_, _>>()?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let status = store.status()?;
    let progress = context.progress("verifying", status.records() - status.unbatched, Unit::Pieces);
    let report = audit::check_all(store, engine, threads, anchors, &|records| progress.add(records))?;
    progress.finish();
    Ok((report, begun.elapsed()))
}

/// The limits of the check. A user with full rights can put another database in the place of this one, so we must not claim
/// more.
const BOUNDS: &str = "in this database; an older or another one shows only against an anchor";

/// Prints a report for people.
pub fn print(report: &Report, took: Duration, out: &mut impl Write) -> io::Result<()> {
    let [open, leased, signed, lost] = report.batches;
    writeln!(out, "records     {} ({} wait for their signature)", report.records, report.waiting)?;
    writeln!(out, "batches     {signed} signed, {leased} leased, {open} open")?;
    if lost > 0 {
        writeln!(out, "lost        {lost} batches with {} records, which are not signed again", report.lost)?;
    }
    writeln!(out, "keys        {}", report.keys)?;
    writeln!(
        out,
        "verified    {} signatures in {:.1} s ({:.0}/s)",
        report.verified,
        took.as_secs_f64(),
        rate(report, took)
    )?;
    if let Extent { entries, anchored: Some(anchored) } = report.ledger {
        writeln!(out, "anchored    {anchored} of {entries} entries of the ledger")?;
    }
    if report.is_clean() {
        return match report.ledger.anchored {
            None => writeln!(out, "problems    none {BOUNDS}"),
            Some(_) => writeln!(out, "problems    none"),
        };
    }
    writeln!(out, "problems    {}", report.problem_count)?;
    report.problems.iter().try_for_each(|problem| writeln!(out, "  {}", plain(&problem.to_string())))?;
    let unnamed = report.problem_count - report.problems.len() as u64;
    if unnamed > 0 { writeln!(out, "  and {unnamed} more") } else { Ok(()) }
}

fn rate(report: &Report, took: Duration) -> f64 {
    report.verified as f64 / took.as_secs_f64()
}

fn as_json(report: &Report, took: Duration) -> Value {
    let [open, leased, signed, lost] = report.batches;
    json!({
        "ok": report.is_clean(),
        "records": report.records,
        "waiting": report.waiting,
        "lost": report.lost,
        "batches": {"open": open, "leased": leased, "signed": signed, "lost": lost},
        "keys": report.keys,
        "verified": report.verified,
        "seconds": took.as_secs_f64(),
        "per_second": rate(report, took),
        "ledger": {"entries": report.ledger.entries, "anchored": report.ledger.anchored},
        "problem_count": report.problem_count,
        "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn verdict_as_json(record: RecordId, verdict: &RecordVerdict) -> Value {
    match verdict {
        RecordVerdict::Verified { fingerprint, scheme, signed_at } => json!({
            "ok": true,
            "record_id": record.0,
            "state": "signed",
            "fingerprint": fingerprint.to_string(),
            "scheme": scheme.name(),
            "signed_at": signed_at,
        }),
        RecordVerdict::NotSigned => json!({"ok": false, "record_id": record.0, "state": "waiting"}),
        RecordVerdict::NoSuchRecord => json!({"ok": false, "record_id": record.0, "state": "missing"}),
        RecordVerdict::Wrong(problem) => {
            json!({"ok": false, "record_id": record.0, "state": "wrong", "problem": problem.to_string()})
        }
    }
}
