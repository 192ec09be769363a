//! `signwave custody`: looks at the places that keep private keys outside the database.

mod compared;
mod files;
mod token;

use std::io::{self, Write};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use super::context::{Context, Place};

/// One variant per command.
#[derive(Debug, Subcommand)]
pub enum Custody {
    /// Try the custodians, and say what is wrong and how to mend it
    Check(Check),
}

impl Custody {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let Self::Check(check) = self;
        check.run(context)
    }
}

/// Try the custodians, and say what is wrong and how to mend it.
#[derive(Args, Debug)]
#[command(after_help = "\
Reads every key that a custodian has, and compares them with the database. A hardware token is
opened: its sessions are counted, and its first key signs with each scheme, and as fast as it can.
Nothing is changed.

Exit codes: 0 when every key in the database can be used here, 1 when something is wrong, 2 wrong usage.

Examples:
  signwave custody check
  signwave custody check mounted")]
pub struct Check {
    /// NAME of [custody.NAME] in the settings file [default: all of them]
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl Check {
    fn run(&self, context: &Context) -> Result<()> {
        let names = match &self.name {
            Some(name) => vec![name.clone()],
            None => context.custodian_names(),
        };
        if names.is_empty() {
            return Ok(writeln!(
                io::stdout(),
                "the settings name no custodian: private keys are in the database only"
            )?);
        }
        let keys = context.open_to_read()?.store.keys()?;
        let mut wrong = 0;
        for name in names {
            let out = &mut io::stdout().lock();
            wrong += match context.custodian(&name)? {
                Place::Files(files) => files::check(&name, &files, &keys, out)?,
                Place::Token(place) => token::check(&name, &place, &keys, out)?,
            };
        }
        if wrong > 0 {
            bail!("problems found: {wrong}; see above");
        }
        Ok(())
    }
}
