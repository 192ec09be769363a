//! `signwave demo`: the main job, from nothing to the proof.

use std::num::NonZeroUsize;

use anyhow::{Result, bail};
use clap::Args;

use super::{context::Context, options::Signing};

/// Show it all on a throw-away database: make keys and records, sign, verify, say how fast.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  signwave demo
  signwave demo --records 10000 --keys 10 --batch-size 100 --bits 4096")]
pub struct Demo {
    /// Records to sign
    #[arg(long, value_name = "N", default_value = "100000")]
    records: NonZeroUsize,
    /// Keys to sign with
    #[arg(long, value_name = "K", default_value = "100")]
    keys: NonZeroUsize,
    /// Size of the keys: 2048, 3072, 4096 or 8192 bits
    #[arg(long, value_name = "BITS", default_value_t = 2048)]
    bits: u32,
    #[command(flatten)]
    signing: Signing,
}

impl Demo {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let _ = (context.signing(&self.signing)?, self.records, self.keys, self.bits);
        bail!("the demo is not in this build")
    }
}
