//! `signwave demo`: makes a database, signs its records and verifies them.

use std::{
    env,
    io::{self, Write},
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use anyhow::{Result, bail};
use clap::Args;

use super::{
    context::{Context, Database},
    failure::ProblemsFound,
    given::Given,
    other_engine::OtherEngine,
    raw::RawSpeed,
    run::run,
    seed::{add_keys, add_records},
    verify::{self, verify_all},
};
use crate::{
    actors::{Mode, Parts},
    config::Settings,
    signer::{Engine, OpenSigner},
    store::DatabaseUrl,
};

/// Try everything: make keys and records, sign, verify, print the speed.
#[derive(Args, Debug)]
#[command(after_help = "\
The database is made in the current folder and removed at the end. A database that --database names
must be empty, and is kept. The raw speed is that of the same keys and threads without a database.
It is measured before and after signing. Where the CPU has AVX-512 IFMA, the demo also measures what
the engine that is not in use (aws-lc or lanes) brings. aws-lc verifies what lanes signed.

Examples:
  signwave demo
  signwave demo --signer lanes             eight signatures at once, with AVX-512 IFMA
  signwave demo --records 10000 --keys 10 --batch-size 100 --bits 4096
  signwave demo --database demo.db         keeps the database")]
pub struct Demo {
    /// Records to sign
    #[arg(long, value_name = "N", default_value = "100000")]
    records: NonZeroUsize,
    /// Keys to sign with
    #[arg(long, value_name = "K", default_value = "100")]
    keys: NonZeroUsize,
    /// Size of the keys: 2048, 3072, 4096 or 8192 bits
    #[arg(long, value_name = "BITS", default_value_t = 2048)]
    bits: u32,
    #[command(flatten)]
    signing: Given<Settings>,
}

/// Bytes per payload.
const PAYLOAD: usize = 256;
/// How long the raw speed is measured, each time.
const RAW: Duration = Duration::from_secs(1);

impl Demo {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        if context.names_database() {
            let settings = context.signing(&self.signing)?;
            return self.run_on(context, &context.create_anchored(&settings.anchor)?);
        }
        let folder = tempfile::Builder::new().prefix("signwave-demo-").tempdir_in(env::current_dir()?)?;
        let database = context.create_at(DatabaseUrl::Sqlite(folder.path().join("demo.db")))?;
        let result = self.run_on(context, &database);
        drop(database);
        folder.close()?;
        result
    }

    fn run_on(&self, context: &Context, database: &Database) -> Result<()> {
        let settings = context.signing(&self.signing)?;
        let store = database.store.as_ref();
        if store.status()?.records() > 0 || !store.keys()?.is_empty() {
            bail!(
                "the database {} has keys or records already: name an empty one with --database",
                database.url
            );
        }
        let (keys, records) = (self.keys.get(), self.records.get() as u64);
        add_keys(context, database, keys, self.bits)?;
        add_records(context, store, (1, records), PAYLOAD)?;
        let mut out = io::stdout().lock();
        writeln!(out, "made        {keys} keys of {} bits, {records} records", self.bits)?;

        let keyring = Arc::new(context.keyring(database, settings.signer)?);
        let mut raw = RawSpeed::open(store, keyring.as_ref(), &settings)?;
        let mut other = OtherEngine::open(store, keyring.as_ref(), &settings, self.bits)?;
        raw.measure(RAW)?;
        other.as_mut().map_or(Ok(()), OtherEngine::measure)?;
        let opener: Arc<dyn OpenSigner> = keyring;
        let run = run(context, database, Parts::new(settings.clone(), opener, Mode::Drain))?;
        raw.measure(RAW)?;
        other.as_mut().map_or(Ok(()), OtherEngine::measure)?;
        let (seconds, rate) = (run.took.as_secs_f64(), run.per_second());
        writeln!(
            out,
            "signed      {} records in {} batches of {} in {seconds:.1} s",
            run.counters.signed(),
            run.counters.batches(),
            settings.batch_size
        )?;
        if let Some(signal) = run.stopped_by(&database.store) {
            writeln!(out, "stopped     before the end")?;
            bail!(signal);
        }
        writeln!(out, "speed       {rate:.0} durable signatures/s on {} threads", settings.signers)?;
        writeln!(
            out,
            "raw speed   {:.0} signatures/s without a database: ratio {:.3}",
            raw.per_second(),
            rate / raw.per_second()
        )?;
        if let Some(other) = other {
            writeln!(out, "{}", other.line(raw.per_second()))?;
        }
        let (report, took) = verify_all(context, store, verifier(settings.signer), &settings.anchor)?;
        verify::print(&report, took, &mut out)?;
        if report.is_clean() { Ok(()) } else { bail!(ProblemsFound) }
    }
}

/// The engine that verifies what `signer` made: aws-lc, which shares no code with lanes, unless rsa is wanted.
fn verifier(signer: Engine) -> Engine {
    match signer {
        Engine::AwsLc | Engine::Lanes => Engine::AwsLc,
        Engine::Rsa => Engine::Rsa,
    }
}
