//! `signwave bench`: how near the whole comes to the raw speed of the machine.

use anyhow::{Result, bail};
use clap::Args;

use super::context::Context;

/// Measure the end-to-end rate against the raw signing rate of this machine.
#[derive(Args, Debug)]
pub struct Bench {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Runs the command.
    pub fn run(&self, _context: &Context) -> Result<()> {
        let _ = self.json;
        bail!("the benchmark is not in this build")
    }
}
