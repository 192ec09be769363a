//! `signwave sign`: what is waiting, and no more.

use anyhow::{Result, bail};
use clap::Args;

use super::{context::Context, options::Signing};

/// Sign all that is waiting, then exit.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  signwave sign
  signwave sign --scheme RS256 --batch-size 100")]
pub struct Sign {
    #[command(flatten)]
    signing: Signing,
}

impl Sign {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let _ = context.signing(&self.signing)?;
        bail!("signing is not in this build")
    }
}
