//! Measures how near Sign Wave comes to the raw speed of the machine. `scripts/bench` builds and runs this program.

mod feed;
mod figure;
mod http;
mod lab;
mod lanes;
mod ledger;
mod memory;
mod noop;
mod queue;
mod raw_verify;
mod scratch;
mod server;
mod suites;
mod tokens;

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, ValueEnum};
use log::LevelFilter;
use signwave::signer::Engine;

use figure::Figure;
use lab::Lab;
use scratch::Scratch;

/// Measure the end-to-end rate against the raw speed of this machine
#[derive(Parser)]
#[command(
    name = "scripts/bench",
    max_term_width = 100,
    after_help = "\
Each rate is measured in turns with the raw rate of the same signer, keys and threads. The databases are
removed afterwards. All suites together take about a quarter of an hour. Low and high are the lowest
and the highest measurement, or the 10th and 90th percentile where there are 20 or more.

Examples:
  scripts/bench
  scripts/bench batches --repeat 5
  scripts/bench ceiling verify --json
  scripts/bench http beside --records 100000
  scripts/bench lanes                          the engine lanes beside aws-lc
  scripts/bench --postgres batches latency     starts a server to measure on"
)]
struct Bench {
    /// What to measure [default: everything but http, beside, overload, tokens, feed, ledger, queue, dashboard and large]
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
    /// The signer to measure: aws-lc, lanes or rsa
    #[arg(long, value_name = "ENGINE", default_value_t = Engine::default())]
    signer: Engine,
    /// The folder for the SQLite databases, on the disk to be measured
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Measure on the PostgreSQL server that has this database, in new databases beside it
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Records that are already signed, for the suite 'large'
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    signed: u64,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Run one of several nodes: sign the waiting records of this database with the no-op signer
    #[arg(long, hide = true, requires = "database")]
    node: Option<String>,
    /// Sign --records once with the no-op signer, and print the peak memory in KiB
    #[arg(long, hide = true)]
    peak_memory: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
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
    /// The engine lanes ÷ aws-lc: one core, two threads, whole runs at batch sizes 1000, 100 and 10, opening a
    /// key, verifying; only where the CPU has AVX-512 IFMA
    Lanes,
    /// One node and three, with a signer that does nothing; PostgreSQL only
    Nodes,
    /// The HTTP API: signatures out; records in, with and without their signatures; takes five minutes, and runs only if it is named
    Http,
    /// The signing rate while the API is at work, and with 10,000 idle connections ÷ without; runs only if it is named
    Beside,
    /// A minute of overload: four times as many clients as use up the HTTP API; runs only if it is named
    Overload,
    /// Keys in SoftHSM ÷ the same sessions without a database, the start with 1,000 of them, and keys that take 100 ms for a
    /// signature beside the others; SQLite only, takes ten minutes, and runs only if it is named
    Tokens,
    /// The feed: its positions ÷ none (PostgreSQL only), the time from a commit to a client, `export --after` and the API ÷ a
    /// SELECT; runs only if it is named
    Feed,
    /// The ledger: signing with an anchor ÷ without (on PostgreSQL by three nodes), and the time for the receipt of a record;
    /// runs only if it is named
    Ledger,
    /// RabbitMQ: messages of a quorum queue into records ÷ inserts, and until they are signed and published ÷ raw; runs only
    /// if it is named, and needs the server that scripts/install-tools brings
    Queue,
    /// What 100 viewers of the dashboard cost, and its views with 10,000,000 records ÷ with 100,000; takes ten minutes
    /// and 10 GB, and runs only if it is named
    Dashboard,
    /// The time from an INSERT to its signature, while the service is idle; PostgreSQL only
    Latency,
    /// Inserts by 32 clients with the notification of the nodes ÷ without; PostgreSQL only
    Inserts,
    /// The rate when 10,000,000 records are already signed ÷ the rate on an empty database; PostgreSQL
    /// only, takes a quarter of an hour and 10 GB, and runs only if it is named
    Large,
}

impl Suite {
    /// Whether it runs only if it is named.
    fn is_long(self) -> bool {
        matches!(
            self,
            Self::Http
                | Self::Beside
                | Self::Overload
                | Self::Tokens
                | Self::Feed
                | Self::Ledger
                | Self::Queue
                | Self::Dashboard
                | Self::Large
        )
    }
}

/// The program that users run, which is built beside this one.
fn product() -> Result<PathBuf> {
    Ok(env::current_exe().context("cannot find this program")?.with_file_name("signwave"))
}

fn main() -> Result<()> {
    // A client of the broker tells each of its steps.
    env_logger::Builder::new()
        .filter_level(LevelFilter::Info)
        .filter_module("tracing::span", LevelFilter::Off)
        .init();
    Bench::parse().run()
}

impl Bench {
    fn run(&self) -> Result<()> {
        if let (Some(server), Some(name)) = (&self.database, &self.node) {
            return server::no_op_node(server, name);
        }
        let scratch = match &self.database {
            Some(server) => Scratch::on_server(server.clone())?,
            None => Scratch::in_folder(&self.folder)?,
        };
        let lab = Lab { scratch, engine: self.signer };
        let mut out = io::stdout().lock();
        if self.peak_memory {
            let template = lab.template(self.records, self.keys, self.bits)?;
            return Ok(writeln!(out, "{}", memory::peak(&lab, &template)?)?);
        }
        let figures = self.measure(&lab, &self.suites(&lab)?)?;
        if self.json {
            writeln!(out, "{:#}", figure::as_json(&figures))?;
        } else {
            figure::print_table(&figures, &mut out)?;
        }
        Ok(())
    }

    /// The named suites. By default all that this kind of database allows, but not the long one.
    fn suites(&self, lab: &Lab) -> Result<Vec<Suite>> {
        let is_server = lab.scratch.is_server();
        let measurable = |suite: &Suite| match suite {
            Suite::Nodes | Suite::Latency | Suite::Inserts | Suite::Large => is_server,
            Suite::Memory | Suite::Tokens => !is_server,
            Suite::Lanes => Engine::Lanes.is_supported(),
            _ => true,
        };
        if let Some(suite) = self.suites.iter().find(|suite| !measurable(suite)) {
            bail!(
                "the suite {suite:?} cannot run here: add or leave out --postgres (lanes: the CPU needs AVX-512 IFMA)"
            );
        }
        let quick = |suite: &Suite| measurable(suite) && !suite.is_long();
        let all = Suite::value_variants().iter().copied().filter(quick);
        Ok(if self.suites.is_empty() { all.collect() } else { self.suites.clone() })
    }

    fn measure(&self, lab: &Lab, suites: &[Suite]) -> Result<Vec<Figure>> {
        let (repeat, make) = (self.repeat, |records| lab.template(records, self.keys, self.bits));
        let template = make(self.records)?;
        let mut figures = Vec::new();
        for suite in suites {
            figures.extend(match suite {
                Suite::Batches => suites::batches(lab, &template, repeat)?,
                Suite::Threads => suites::threads(lab, &template, repeat)?,
                Suite::Checking => suites::checking(lab, &template, repeat)?,
                Suite::Ceiling => suites::ceiling(lab, &template, &make(self.records * 10)?, repeat)?,
                Suite::Memory => {
                    memory::memory(|records| self.again(&["--peak-memory"], records), self.records, repeat)?
                }
                Suite::Verify => suites::verify(lab, &template, repeat)?,
                Suite::Lanes => lanes::lanes(lab, &template, repeat)?,
                Suite::Nodes => {
                    let node = |name: &str| self.again(&["--node", name], self.records);
                    server::nodes(lab, &make(self.records * 10)?, node, repeat)?
                }
                Suite::Http => http::figures(lab, &template, repeat)?,
                Suite::Beside => http::beside(lab, repeat)?,
                Suite::Overload => http::overload(lab, repeat)?,
                Suite::Tokens => {
                    let mut figures = tokens::sessions(lab, self.bits, repeat)?;
                    figures.extend(tokens::many_keys(lab, self.bits, repeat)?);
                    figures.extend(tokens::beside(lab, &make(self.records)?, self.bits, repeat)?);
                    figures
                }
                Suite::Feed => {
                    let mut figures = feed::readable(lab)?;
                    figures.extend(feed::reading(lab, &make(self.records * 10)?, repeat)?);
                    if lab.scratch.is_server() {
                        figures.extend(feed::numbering(lab, &template, repeat)?);
                    }
                    figures
                }
                Suite::Ledger => {
                    let mut figures = ledger::receipts(repeat)?;
                    figures.extend(ledger::stored(lab, &make(self.records * 10)?)?);
                    figures.extend(ledger::anchored(lab, &template, &self.folder, repeat)?);
                    figures
                }
                Suite::Queue => queue::figures(lab, &template, repeat)?,
                Suite::Dashboard => http::dashboard(lab, repeat)?,
                Suite::Latency => server::latency(lab, &template)?,
                Suite::Inserts => server::inserts(lab, repeat)?,
                Suite::Large => server::large(lab, &template, self.signed, repeat)?,
            });
        }
        Ok(figures)
    }

    /// The command of a process that does a part of the work: this program, with the same databases and keys.
    fn again(&self, part: &[&str], records: u64) -> Result<Command> {
        let mut command = Command::new(env::current_exe().context("cannot find this program")?);
        command.args(part).arg("--folder").arg(&self.folder);
        for (name, value) in
            [("--records", records), ("--keys", self.keys as u64), ("--bits", self.bits.into())]
        {
            command.arg(name).arg(value.to_string());
        }
        self.database.iter().for_each(|server| _ = command.arg("--database").arg(server));
        Ok(command)
    }
}
