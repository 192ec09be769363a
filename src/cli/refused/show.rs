//! `signwave refused show`.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;

use super::select::unknown;
use crate::{cli::context::Context, domain::RefusedId};

/// Write the bytes that were kept of a refused message to standard output.
#[derive(Args, Debug)]
#[command(after_help = "\
Of a message that is larger than a record may be, the first 64 KiB were kept.

Example:
  signwave refused show 7 > message.json")]
pub struct Show {
    /// The message: its id, which 'refused list' shows
    #[arg(value_name = "ID")]
    id: i64,
}

impl Show {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let id = RefusedId(self.id);
        let payload = context.open_to_read()?.store.refused_payload(id)?.ok_or_else(|| unknown(id))?;
        let mut out = io::stdout().lock();
        Ok(out.write_all(&payload).and_then(|()| out.flush())?)
    }
}
