//! `signwave migrate`: makes the schema or brings it up to date.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;

use super::{confirm::confirm, context::Context};
use crate::store;

/// Make the database, or bring it up to this version.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  signwave migrate                                  makes signwave.db, or brings it up to date
  signwave --database sqlite:///var/lib/sw.db migrate
  signwave migrate --max-payload 1048576            also limits payloads to 1 MiB")]
pub struct Migrate {
    /// Undo the last migration instead: deletes what it made, including all data
    #[arg(long)]
    revert: bool,
    /// The largest payload that the database accepts, in bytes, up to 268435456 (256 MiB) [a new database: 16777216,
    /// 16 MiB]
    #[arg(long, value_name = "BYTES", conflicts_with = "revert", value_parser = clap::value_parser!(u32).range(1..=256 << 20))]
    max_payload: Option<u32>,
    /// Do not ask before reverting
    #[arg(long, requires = "revert")]
    yes: bool,
}

impl Migrate {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let (url, mut out) = (context.url()?, io::stdout().lock());
        if self.revert {
            confirm(
                &format!("reverting the last migration of '{url}' deletes the data that it holds"),
                self.yes,
            )?;
            writeln!(out, "reverted {}", store::revert(&url)?)?;
            return Ok(());
        }
        let migrations = store::migrate(&url)?;
        migrations.iter().try_for_each(|migration| writeln!(out, "ran {migration}"))?;
        writeln!(out, "database {url} is up to date")?;
        if let Some(bytes) = self.max_payload {
            store::set_payload_limit(&url, bytes)?;
            writeln!(
                out,
                "payloads may have up to {bytes} bytes; larger payloads that are already stored stay"
            )?;
        }
        Ok(())
    }
}
