//! `signwave migrate`: the schema.

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
  signwave --database sqlite:///var/lib/sw.db migrate")]
pub struct Migrate {
    /// Undo the last migration instead: deletes what it made, with all data in it
    #[arg(long)]
    revert: bool,
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
        Ok(())
    }
}
