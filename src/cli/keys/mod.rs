//! `signwave keys`: the pool of keys.

mod change;
pub(super) mod generate;
mod import;
mod list;
mod passphrase;
mod secret_file;
mod select;
mod show;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Result;
use clap::{Args, Subcommand};

use super::context::Context;
use crate::signer::MasterKey;

/// One variant per command.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make new keys and print their fingerprints
    Generate(generate::Generate),
    /// Read private keys from files
    Import(import::Import),
    /// List all keys
    List(list::List),
    /// Show one key
    Show(show::Show),
    /// Set a key aside
    Disable(change::Disable),
    /// Let a disabled or suspended key sign again
    Enable(change::Enable),
    /// Never sign with a key again; its signatures stay verifiable
    Retire(change::Retire),
    /// Make a master key file
    InitMaster(InitMaster),
}

impl Keys {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::Generate(generate) => generate.run(context),
            Self::Import(import) => import.run(context),
            Self::List(list) => list.run(context),
            Self::Show(show) => show.run(context),
            Self::Disable(disable) => disable.run(context),
            Self::Enable(enable) => enable.run(context),
            Self::Retire(retire) => retire.run(context),
            Self::InitMaster(init_master) => init_master.run(),
        }
    }
}

/// Make a master key file.
#[derive(Args, Debug)]
#[command(after_help = "\
The file holds 32 random bytes in base64 and can be read by its owner only. Whoever has it and
the database has every private key; whoever loses it loses them all. Keep a copy, apart from the
database.

Example:
  signwave keys init-master /etc/signwave/master")]
pub struct InitMaster {
    /// The new file; one that is there is never overwritten. '-' is standard output
    file: PathBuf,
}

impl InitMaster {
    fn run(&self) -> Result<()> {
        if self.file == Path::new("-") {
            let mut out = io::stdout().lock();
            return Ok(out
                .write_all(MasterKey::generate().to_base64().as_bytes())
                .and_then(|()| out.flush())?);
        }
        MasterKey::create(&self.file)?;
        log::info!(
            "made the master key '{}': keep a copy of it, apart from the database",
            self.file.display()
        );
        Ok(())
    }
}
