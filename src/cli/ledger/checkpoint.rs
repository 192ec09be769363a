//! `signwave ledger checkpoint`: prints the last checkpoint.

use std::io::{self, Write};

use anyhow::{Result, bail};
use clap::Args;

use crate::cli::context::Context;

/// Print the last checkpoint: how many entries the ledger has, and the root of their tree.
#[derive(Args, Debug)]
#[command(after_help = "\
The checkpoint is a signed note as in https://c2sp.org/tlog-checkpoint. 'signwave sign' and
'signwave serve' sign one at their end, and once a second while the ledger grows. Keep
checkpoints where people who hold the database cannot change them. A later database that does not
continue a kept checkpoint is another database.

Example:
  signwave ledger checkpoint >> checkpoints")]
pub struct ShowCheckpoint {}

impl ShowCheckpoint {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        match context.open_to_read()?.store.ledger()?.checkpoint {
            Some((_, note)) => Ok(io::stdout().lock().write_all(note.as_bytes())?),
            None => bail!("there is no checkpoint yet: 'signwave sign' and 'signwave serve' make one"),
        }
    }
}
