//! `signwave bench`: how near the whole comes to the raw speed of the machine.

mod figure;
mod lab;
mod raw_verify;
mod server;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::{context::Context, failure::Usage};
use crate::{
    audit,
    config::{Checking, Settings},
    domain::{BatchId, Scheme},
    signer::{Engine, PublicKey},
};
use figure::{Figure, Goal};
use lab::{Lab, Measured, Signing, Template};

/// Measure the end-to-end rate against the raw speed of this machine.
#[derive(Args, Debug)]
#[command(after_help = "\
Every rate is measured in turns with the raw rate of the same signer, keys and threads, on databases of
their own that are removed afterwards: in --folder, or, with --database postgres://.., beside that one on
its server. All suites take about ten minutes.

Examples:
  signwave bench
  signwave bench batches --repeat 5
  signwave bench ceiling verify --json")]
pub struct Bench {
    /// What to measure [default: everything]
    #[arg(value_enum, value_name = "SUITE")]
    suites: Vec<Suite>,
    /// Records to sign in each measurement
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1000..))]
    records: u64,
    /// Keys to sign with
    #[arg(long, value_name = "K", default_value_t = 100)]
    keys: usize,
    /// Size of the keys
    #[arg(long, value_name = "BITS", default_value_t = 2048)]
    bits: u32,
    /// How often to measure each figure
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    repeat: u16,
    /// The signer to measure: aws-lc or rsa
    #[arg(long, value_name = "ENGINE", default_value_t = Engine::default())]
    signer: Engine,
    /// Where the databases to measure are made: a folder on the disk that matters
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Sign what waits in the database with the no-op signer
    #[arg(long, hide = true)]
    no_op_node: bool,
    /// Records that are signed already, for the suite 'large'
    #[arg(long, value_name = "N", default_value_t = 10_000_000, hide = true)]
    signed: u64,
    /// Sign this many records once with the no-op signer, and print the peak memory in bytes
    #[arg(long, value_name = "N", hide = true)]
    peak_memory_of: Option<u64>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// End-to-end ÷ raw signing rate, at batch sizes 1000, 100, 10 and 1
    Batches,
    /// Two signing threads ÷ one
    Threads,
    /// The rate with every signature verified before it is stored ÷ the rate without
    Checking,
    /// Everything that is not RSA: records per second with a signer that does nothing
    Ceiling,
    /// Peak memory, at ten times the records
    Memory,
    /// The rate of `verify` ÷ the raw verification rate
    Verify,
    /// One node and three, with a signer that does nothing; PostgreSQL only
    Nodes,
    /// The time from an INSERT to its signature, while the service idles; PostgreSQL only
    Latency,
    /// The rate when 10,000,000 records are signed already ÷ the rate on an empty database; PostgreSQL
    /// only, takes a quarter of an hour and 10 GB, and is measured only when asked for
    Large,
}

/// How long a raw rate is measured on each side of an end-to-end run.
const SLICE: Duration = Duration::from_secs(4);

impl Bench {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        if self.no_op_node {
            return server::no_op_node(context);
        }
        let lab = Lab::new(context, &self.folder, self.signer)?;
        if let Some(records) = self.peak_memory_of {
            return self.print_peak_memory(&lab, records);
        }
        let suites = self.suites(&lab)?;
        let mut figures = Vec::new();
        let needs_records = |suite: &Suite| *suite != Suite::Memory;
        if suites.iter().any(needs_records) {
            let template = lab.template(self.records, self.keys, self.bits)?;
            for suite in &suites {
                figures.extend(match suite {
                    Suite::Batches => self.batches(&lab, &template)?,
                    Suite::Threads => self.threads(&lab, &template)?,
                    Suite::Checking => self.checking(&lab, &template)?,
                    Suite::Ceiling => self.ceiling(&lab, &template)?,
                    Suite::Verify => self.verify(&lab, &template)?,
                    Suite::Nodes => server::nodes(
                        context,
                        &lab,
                        &lab.template(self.records * 10, self.keys, self.bits)?,
                        self.repeat,
                    )?,
                    Suite::Latency => server::latency(context, &lab, &template)?,
                    Suite::Large => server::large(context, &lab, &template, self.signed, self.repeat)?,
                    Suite::Memory => vec![],
                });
            }
        }
        if suites.contains(&Suite::Memory) {
            figures.extend(self.memory()?);
        }
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{:#}", figure::as_json(&figures))?;
        } else {
            figure::print_table(&figures, &mut out)?;
        }
        Ok(())
    }

    /// What was asked for; otherwise everything that can be measured here, and does not take too long.
    fn suites(&self, lab: &Lab<'_>) -> Result<Vec<Suite>> {
        let measurable = |suite: &Suite| match suite {
            Suite::Nodes | Suite::Latency | Suite::Large => lab.is_server(),
            Suite::Memory => !lab.is_server(),
            _ => true,
        };
        if let Some(suite) = self.suites.iter().find(|suite| !measurable(suite)) {
            bail!(Usage(format!("{suite:?} cannot be measured on this kind of database")));
        }
        let quick = |suite: &Suite| measurable(suite) && *suite != Suite::Large;
        let all = Suite::value_variants().iter().copied().filter(quick);
        Ok(if self.suites.is_empty() { all.collect() } else { self.suites.clone() })
    }

    fn batches(&self, lab: &Lab<'_>, template: &Template) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        for (batch_size, goal, server_goal) in
            [(1000, 0.97, Some(0.93)), (100, 0.96, Some(0.91)), (10, 0.90, Some(0.80)), (1, 0.60, None)]
        {
            let goal = if lab.is_server() { server_goal } else { Some(goal) };
            let settings = Settings { batch_size, ..Settings::default() };
            let (mut rates, mut ratios) = (Vec::new(), Vec::new());
            for round in 1..=self.repeat {
                let mut raw = lab.raw_speed(template, &settings)?;
                raw.measure(SLICE)?;
                let rate = template.records as f64 / lab.sign(template, &settings, Signing::Real)?.seconds;
                raw.measure(SLICE)?;
                let raw = raw.per_second();
                log::info!(
                    "batch {batch_size}, round {round}: {rate:.0}/s of raw {raw:.0}/s = {:.3}",
                    rate / raw
                );
                rates.push(rate);
                ratios.push(rate / raw);
            }
            figures.push(Figure::new(format!("signed records/s, batch {batch_size}"), None, rates));
            figures.push(Figure::new(format!("÷ raw, batch {batch_size}"), goal.map(Goal::AtLeast), ratios));
        }
        Ok(figures)
    }

    fn threads(&self, lab: &Lab<'_>, template: &Template) -> Result<Vec<Figure>> {
        let mut ratios = Vec::new();
        for round in 1..=self.repeat {
            let seconds = |signers| -> Result<f64> {
                let settings = Settings { signers, ..Settings::default() };
                Ok(lab.sign(template, &settings, Signing::Real)?.seconds)
            };
            let ratio = seconds(1)? / seconds(2)?;
            log::info!("threads, round {round}: two are {ratio:.3} times as fast as one");
            ratios.push(ratio);
        }
        Ok(vec![Figure::new("two signing threads ÷ one", Some(Goal::AtLeast(1.9)), ratios)])
    }

    fn checking(&self, lab: &Lab<'_>, template: &Template) -> Result<Vec<Figure>> {
        let (mut ratios, mut costs) = (Vec::new(), Vec::new());
        for round in 1..=self.repeat {
            let measure =
                |checking| lab.sign(template, &Settings { checking, ..Settings::default() }, Signing::Real);
            let (before, checked, after) =
                (measure(Checking::Needed)?, measure(Checking::Always)?, measure(Checking::Needed)?);
            let ratio = (before.seconds + after.seconds) / 2.0 / checked.seconds;
            let cost = checked.cpu_seconds - (before.cpu_seconds + after.cpu_seconds) / 2.0;
            log::info!("checking, round {round}: {ratio:.3} of the rate without");
            ratios.push(ratio);
            costs.push(cost * 1e6 / template.records as f64);
        }
        Ok(vec![
            Figure::new("every signature checked ÷ not", Some(Goal::AtLeast(0.9)), ratios),
            Figure::new("· CPU µs per record for it", None, costs),
        ])
    }

    fn ceiling(&self, lab: &Lab<'_>, template: &Template) -> Result<Vec<Figure>> {
        let large = lab.template(template.records * 10, self.keys, self.bits)?;
        let mut figures = Vec::new();
        for (batch_size, template) in [(1000, &large), (100, template), (10, template), (1, template)] {
            let settings = Settings { batch_size, ..Settings::default() };
            let (mut rates, mut costs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            let mut server_costs = Vec::new();
            for _ in 0..self.repeat {
                let measured = lab.sign(template, &settings, Signing::Noop)?;
                rates.push(template.records as f64 / measured.seconds);
                costs.push(measured.cpu_seconds * 1e6 / template.records as f64);
                server_costs
                    .extend(measured.server_cpu_seconds.map(|cpu| cpu * 1e6 / template.records as f64));
                ratios.push(measured.last_to_first);
            }
            let (mut goal, mut steady, mut server_goal) = (None, None, None);
            if batch_size == 1000 {
                let least = if lab.is_server() { 50_000.0 } else { 80_000.0 };
                (goal, steady) = (Some(Goal::AtLeast(least)), Some(Goal::AtLeast(0.95)));
                server_goal = Some(Goal::AtMost(12.0));
            }
            figures.push(Figure::new(
                format!("records/s with a no-op signer, batch {batch_size}"),
                goal,
                rates,
            ));
            figures.push(Figure::new("· CPU µs per record", None, costs));
            if !server_costs.is_empty() {
                figures.push(Figure::new("· CPU µs per record of the server", server_goal, server_costs));
            }
            figures.push(Figure::new("· last tenth ÷ first tenth", steady, ratios));
        }
        Ok(figures)
    }

    fn verify(&self, lab: &Lab<'_>, template: &Template) -> Result<Vec<Figure>> {
        let url = lab.copy(template)?;
        let Measured { store, .. } =
            lab.sign_at(&url, template, template.records, &Settings::default(), Signing::Real)?;
        let (keys, mut verifiers, mut records) = (store.keys()?, Vec::new(), Vec::new());
        for key in &keys {
            verifiers.push(self.signer.verifier(&PublicKey::from_spki(&key.public_key)?)?);
        }
        for batch in store.batches(BatchId(0), 20)? {
            let verifier =
                keys.iter().position(|key| Some(key.id) == batch.key).context("a batch has a key")?;
            store.read_signed(&batch.records, &mut |row| {
                let signature = row.signature.map(|(_, value)| value.to_vec()).unwrap_or_default();
                records.push(raw_verify::Signed { verifier, payload: row.payload.to_vec(), signature });
            })?;
        }
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let (mut rates, mut ratios) = (Vec::new(), Vec::new());
        for round in 1..=self.repeat {
            let raw =
                || raw_verify::verification_rate(&verifiers, Scheme::default(), &records, threads, SLICE);
            let before = raw()?;
            let begun = Instant::now();
            let report = audit::check_all(store.as_ref(), self.signer, threads, &|_| {})?;
            let rate = report.verified as f64 / begun.elapsed().as_secs_f64();
            anyhow::ensure!(report.is_clean(), "the measured database does not verify");
            let raw = (before + raw()?) / 2.0;
            log::info!("verify, round {round}: {rate:.0}/s of raw {raw:.0}/s = {:.3}", rate / raw);
            rates.push(rate);
            ratios.push(rate / raw);
        }
        Ok(vec![
            Figure::new("verified records/s", None, rates),
            Figure::new("÷ raw verification", Some(Goal::AtLeast(0.9)), ratios),
        ])
    }

    /// Each measurement is a process of its own: a peak never goes down again.
    fn memory(&self) -> Result<Vec<Figure>> {
        let peak = |records: u64| -> Result<f64> {
            let output = Command::new(std::env::current_exe()?)
                .args(["bench", "--peak-memory-of", &records.to_string()])
                .args(["--keys", &self.keys.to_string(), "--bits", &self.bits.to_string()])
                .arg("--folder")
                .arg(&self.folder)
                .output()?;
            anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let bytes: f64 = serde_json::from_slice::<serde_json::Value>(&output.stdout)?["peak_memory"]
                .as_f64()
                .context("the measuring process prints its peak memory")?;
            Ok(bytes / f64::from(1 << 20))
        };
        let (mut peaks, mut ratios) = (Vec::new(), Vec::new());
        for round in 1..=self.repeat {
            let (small, large) = (peak(self.records)?, peak(self.records * 10)?);
            log::info!("peak memory, round {round}: {small:.1} MiB, {large:.1} MiB at ten times the records");
            peaks.push(large);
            ratios.push(large / small);
        }
        Ok(vec![
            Figure::new("peak memory in MiB", Some(Goal::AtMost(100.0)), peaks),
            Figure::new("÷ peak at a tenth of the records", Some(Goal::AtMost(1.1)), ratios),
        ])
    }

    fn print_peak_memory(&self, lab: &Lab<'_>, records: u64) -> Result<()> {
        let template = lab.template(records, self.keys, self.bits)?;
        lab.sign(&template, &Settings::default(), Signing::Noop)?;
        let status =
            std::fs::read_to_string("/proc/self/status").context("peak memory is read from /proc")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let kib: u64 = peak.context("/proc/self/status has VmHWM")?.trim().parse()?;
        writeln!(io::stdout(), "{}", json!({"peak_memory": kib * 1024}))?;
        Ok(())
    }
}
