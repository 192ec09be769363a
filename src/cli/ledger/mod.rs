//! `signwave ledger`: what others need to check the ledger.

mod checkpoint;
mod key;

use anyhow::Result;
use clap::Subcommand;

use super::context::Context;

/// One variant per command.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Print the last checkpoint
    Checkpoint(checkpoint::ShowCheckpoint),
    /// Print the key that checkpoints are signed with
    Key(key::ShowKey),
}

impl Ledger {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.run(context),
            Self::Key(key) => key.run(context),
        }
    }
}
