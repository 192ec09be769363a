//! `signwave keys`: manages the pool of keys.

mod add;
mod certify;
mod change;
pub(super) mod generate;
mod import;
mod key_id;
mod limits;
mod list;
mod made_in_token;
mod passphrase;
mod rotate_master;
pub(super) mod rows;
mod secret_file;
mod select;
mod set;
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
    /// Add keys that a custodian keeps outside the database
    Add(add::Add),
    /// List all keys
    List(list::List),
    /// Show one key
    Show(show::Show),
    /// Stop signing with a key until it is enabled again
    Disable(change::Disable),
    /// Let a disabled or suspended key sign again
    Enable(change::Enable),
    /// Never sign with a key again; its signatures stay verifiable
    Retire(change::Retire),
    /// Limit how many signatures a key makes, and when
    Set(set::Set),
    /// Store the certificates of a key
    Certify(certify::Certify),
    /// Make a master key file
    InitMaster(InitMaster),
    /// Change the master key: seal every key under the next one
    RotateMaster(rotate_master::RotateMaster),
}

impl Keys {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::Generate(generate) => generate.run(context),
            Self::Import(import) => import.run(context),
            Self::Add(add) => add.run(context),
            Self::List(list) => list.run(context),
            Self::Show(show) => show.run(context),
            Self::Disable(disable) => disable.run(context),
            Self::Enable(enable) => enable.run(context),
            Self::Retire(retire) => retire.run(context),
            Self::Set(set) => set.run(context),
            Self::Certify(certify) => certify.run(context),
            Self::InitMaster(init_master) => init_master.run(),
            Self::RotateMaster(rotate_master) => rotate_master.run(context),
        }
    }
}

/// Make a master key file.
#[derive(Args, Debug)]
#[command(after_help = "\
The file holds 32 random bytes in base64, and only its owner can read it. The file and the database
together reveal every private key. If the file is lost, so are all private keys: keep a copy of it,
apart from the database.

Example:
  signwave keys init-master /etc/signwave/master")]
pub struct InitMaster {
    /// The new file, or '-' for standard output. An existing file is never overwritten
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
