//! `signwave ledger`: what others need to check the ledger, and deliberate restores.

mod accept;
mod checkpoint;
mod heal;
mod key;
mod lost;

use anyhow::{Result, bail};
use clap::Subcommand;

use super::{context::Context, failure::Usage};
use crate::anchors::AnchorAddress;

/// One variant per command.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Go on with a restored database, without the signatures that it lacks
    Accept(accept::Accept),
    /// Print the last checkpoint
    Checkpoint(checkpoint::ShowCheckpoint),
    /// Put lost signatures back into a restored database, from bundles
    Heal(heal::Heal),
    /// Print the key that checkpoints are signed with
    Key(key::ShowKey),
    /// Print the records whose signatures were lost, as JSON lines
    Lost(lost::PrintLost),
}

impl Ledger {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::Accept(accept) => accept.run(context),
            Self::Checkpoint(checkpoint) => checkpoint.run(context),
            Self::Heal(heal) => heal.run(context),
            Self::Key(key) => key.run(context),
            Self::Lost(lost) => lost.run(context),
        }
    }
}

/// The anchors that a deliberate restore asks: those that are given, or those of the settings file.
fn anchors_of<'a>(context: &'a Context, given: &'a [AnchorAddress]) -> Result<&'a [AnchorAddress]> {
    let anchors = if given.is_empty() { context.anchors() } else { given };
    if anchors.is_empty() {
        let what =
            "name the anchors of the database, one --anchor for each: they say what was signed and is lost";
        bail!(Usage(what.to_owned()));
    }
    let names: Vec<_> = anchors.iter().map(|anchor| format!("'{anchor}'")).collect();
    log::info!("reading the anchors {}", names.join(", "));
    Ok(anchors)
}
