//! `signwave sign`: signs all waiting records, then exits.

use std::{
    io::{self, Write},
    sync::Arc,
};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use super::{
    context::Context,
    given::Given,
    run::{Beside, run_beside},
    schemes,
};
use crate::{
    actors::{Ending, Mode, Parts},
    config::Settings,
};

/// Sign all waiting records, then exit.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  signwave sign
  signwave sign --scheme RS256 --batch-size 100

On Ctrl-C or SIGTERM, the command finishes and stores the batches that are being signed (see
--stop-grace), and gives back all others. A second signal, at least a second later, gives back the
unfinished batches, too. A third signal ends the process at once.

Exit codes: 0 when no work is left, or only batches that other processes are signing (their number
is held_elsewhere in JSON); 130 or 143 when SIGINT or SIGTERM stopped it and work is left; 1 failed,
2 wrong usage; 3 the database is older than its anchor, or another one.")]
pub struct Sign {
    #[command(flatten)]
    signing: Given<Settings>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Sign {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let settings = context.signing(&self.signing)?;
        let database = context.open_anchored(&settings.anchor)?;
        schemes::check(&database, settings.scheme)?;
        let keyring = Arc::new(context.keyring(&database, settings.signer)?);
        let custodians = Arc::new(context.custodians(Arc::clone(&keyring), settings.signer));
        let parts = Parts::new(settings, custodians, Mode::Drain);
        let run =
            run_beside(context, &database, parts, Beside { heads: Some(keyring), ..Beside::default() })?;
        let (signed, batches) = (run.counters.signed(), run.counters.batches());
        let (seconds, rate) = (run.took.as_secs_f64(), run.per_second());
        let held_elsewhere = match run.ending {
            Ending::Drained { held_elsewhere } => held_elsewhere,
            Ending::Stopped => 0,
        };
        let stopped = run.stopped_by(&database.store);
        let mut out = io::stdout().lock();
        if self.json {
            let report = json!({
                "signed": signed,
                "batches": batches,
                "seconds": seconds,
                "per_second": rate,
                "stopped": stopped.is_some(),
                "held_elsewhere": held_elsewhere,
            });
            writeln!(out, "{report:#}")?;
            return stopped.map_or(Ok(()), |signal| bail!(signal));
        }
        writeln!(out, "signed {signed} records in {batches} batches in {seconds:.1} s ({rate:.0}/s)")?;
        if stopped.is_some() {
            writeln!(out, "stopped before the end: 'signwave sign' signs the rest")?;
        }
        if held_elsewhere > 0 {
            writeln!(out, "other processes are signing {held_elsewhere} more batches")?;
        }
        stopped.map_or(Ok(()), |signal| bail!(signal))
    }
}
