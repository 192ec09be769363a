//! `signwave ledger key`: prints the key of the ledger.

use std::io::{self, Write};

use anyhow::{Result, bail};
use clap::Args;

use crate::{cli::context::Context, domain::ledger::VerifierKey};

/// Print the public key that checkpoints are signed with, as others pin it.
#[derive(Args, Debug)]
#[command(after_help = "\
Give this text to everybody who has to check bundles, in a way that others cannot change. They run
'signwave verify --bundle FILE --ledger KEY'.")]
pub struct ShowKey {}

impl ShowKey {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let ledger = context.open_to_read()?.store.ledger()?;
        match ledger.public_key {
            Some(public) => {
                let key = VerifierKey { origin: ledger.origin, public };
                Ok(writeln!(io::stdout().lock(), "{key}")?)
            }
            None => bail!("the ledger has no key yet: 'signwave sign' and 'signwave serve' make one"),
        }
    }
}
