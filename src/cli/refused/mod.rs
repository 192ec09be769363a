//! `signwave refused`: looks after messages of a broker that became no record.

mod drop;
mod list;
mod retry;
mod select;
mod show;

use anyhow::Result;
use clap::Subcommand;

use super::context::Context;

/// One variant per command.
#[derive(Debug, Subcommand)]
pub enum Refused {
    /// List the refused messages, each with the reason
    List(list::List),
    /// Write the bytes that were kept of a refused message to standard output
    Show(show::Show),
    /// Try again to make records of refused messages
    Retry(retry::Retry),
    /// Delete refused messages for good
    Drop(drop::DropMessages),
}

impl Refused {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::List(list) => list.run(context),
            Self::Show(show) => show.run(context),
            Self::Retry(retry) => retry.run(context),
            Self::Drop(drop) => drop.run(context),
        }
    }
}
