//! `signwave verify --bundle`: checks bundles with nothing but what the user pins.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    audit::{Disproof, Pins, check_bundle},
    cli::failure::{ProblemsFound, Usage},
    domain::{Fingerprint, ledger::VerifierKey},
    formats::{
        bundle::{self, MAX_BUNDLE},
        shown::plain,
    },
    signer::Engine,
};

/// The options of a check of bundles.
#[derive(Args, Debug)]
pub struct Options {
    /// Check the bundles of this file, or of standard input with '-', one in each line, without any database
    #[arg(long, value_name = "FILE", conflicts_with_all = ["record", "json"])]
    bundle: Option<PathBuf>,
    /// Trust this key: a bundle must be signed by one of the keys that are given
    #[arg(long = "key", value_name = "FINGERPRINT", requires = "bundle")]
    keys: Vec<Fingerprint>,
    /// Trust this ledger: a bundle must be in a checkpoint that one of the ledgers that are given has signed
    #[arg(long = "ledger", value_name = "VKEY", requires = "bundle")]
    ledgers: Vec<VerifierKey>,
    /// The payload of the only bundle
    #[arg(long, value_name = "FILE", requires = "bundle")]
    document: Option<PathBuf>,
}

impl Options {
    /// Checks the bundles, if a file of them is given. Returns whether it is.
    pub fn run(&self, engine: Engine) -> Result<bool> {
        let Some(path) = &self.bundle else { return Ok(false) };
        if self.keys.is_empty() && self.ledgers.is_empty() {
            bail!(Usage(
                "nothing is pinned: give --ledger VKEY or --key FINGERPRINT, from a place that you trust"
                    .into()
            ));
        }
        engine.prepare()?;
        let pins = Pins { keys: self.keys.clone(), ledgers: self.ledgers.clone() };
        let read = |path: &PathBuf| fs::read(path).map_err(|error| cannot_read(path, error));
        let document = self.document.as_ref().map(read).transpose()?;
        let input: Box<dyn BufRead> = if path.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(BufReader::new(File::open(path).map_err(|error| cannot_read(path, error))?))
        };
        Check { pins, document, engine, path }.run(input, io::stdout().lock()).map(|()| true)
    }
}

fn cannot_read(path: &Path, error: io::Error) -> anyhow::Error {
    let text = format!("'{}' cannot be read: {error}", path.display());
    anyhow::Error::new(error).context(text)
}

/// A check of bundles.
struct Check<'a> {
    /// Where the bundles come from, for messages.
    path: &'a Path,
    pins: Pins,
    document: Option<Vec<u8>>,
    engine: Engine,
}

impl Check<'_> {
    /// Prints a verdict for each line, then how many there are of each.
    fn run(&self, mut input: impl BufRead, mut out: impl Write) -> Result<()> {
        let (mut line, mut verified, mut refused) = (Vec::new(), 0_u64, 0_u64);
        loop {
            let read = input.by_ref().take(MAX_BUNDLE as u64 + 1).read_until(b'\n', &mut line);
            if read.map_err(|error| cannot_read(self.path, error))? == 0 {
                break;
            }
            let number = verified + refused + 1;
            if line.len() > MAX_BUNDLE {
                bail!("line {number} is longer than {MAX_BUNDLE} bytes");
            }
            if number > 1 && self.document.is_some() {
                bail!("a document belongs to one bundle, and there are several");
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            match self.verdict(text) {
                Ok(proven) => {
                    verified += 1;
                    writeln!(out, "line {number}: {proven}")?;
                }
                Err(refusal) => {
                    refused += 1;
                    // It may repeat a part of the line.
                    writeln!(out, "line {number}: refused {}", plain(&refusal))?;
                }
            }
            line.clear();
        }
        writeln!(out, "{verified} verified, {refused} refused")?;
        if refused == 0 && verified > 0 { Ok(()) } else { bail!(ProblemsFound) }
    }

    /// What the bundle proves, or the check that failed and why.
    fn verdict(&self, line: &[u8]) -> Result<String, String> {
        let text = std::str::from_utf8(line).map_err(|_| "(form): this is no bundle: it is not UTF-8")?;
        let bundle = bundle::read(text).map_err(|bad| format!("({}): {bad}", bad.check()))?;
        let proven = check_bundle(&bundle, self.document.as_deref(), &self.pins, self.engine);
        let disproof = |disproof: Disproof| format!("({}): {disproof}", disproof.check());
        proven.map(|proven| proven.to_string()).map_err(disproof)
    }
}
