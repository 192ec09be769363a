//! `signwave serve`: the service.

use anyhow::{Result, bail};
use clap::Args;

use super::{context::Context, options::Signing};

/// Run the service: sign records as they come, until stopped.
#[derive(Args, Debug)]
#[command(after_help = "\
Makes the database if there is none. Records that any program inserts into the table 'record' are signed
within a second. SIGINT or SIGTERM stops it in order: the batches in hand are finished and stored, the
rest is given back. Several processes may serve one database.

Examples:
  signwave serve
  signwave serve --batch-size 100 --log-format json")]
pub struct Serve {
    #[command(flatten)]
    signing: Signing,
}

impl Serve {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let _ = context.signing(&self.signing)?;
        bail!("the service is not in this build")
    }
}
