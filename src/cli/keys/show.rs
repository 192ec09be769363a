//! `signwave keys show`.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;

use super::{list::as_json, select::select};
use crate::{
    cli::context::Context,
    formats::shown::{self, field},
    signer::PublicKey,
};

/// Show one key.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  signwave keys show 1
  signwave keys show 9f86d081 --pem > public.pem     for openssl")]
pub struct Show {
    /// The key: its id, or 4 or more digits of its fingerprint
    #[arg(value_name = "ID|FINGERPRINT")]
    key: String,
    /// Print the public key in PEM
    #[arg(long, conflicts_with = "json")]
    pem: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let key = select(context.open_to_read()?.store.as_ref(), &self.key)?;
        let mut out = io::stdout().lock();
        if self.pem {
            write!(out, "{}", PublicKey::from_spki(&key.public_key)?.to_pem())?;
        } else if self.json {
            writeln!(out, "{}", shown::json(&as_json(&key)))?;
        } else {
            writeln!(out, "id           {}", key.id)?;
            writeln!(out, "fingerprint  {}", key.fingerprint)?;
            writeln!(out, "bits         {}", key.bits)?;
            if let Ok(public_key) = PublicKey::from_spki(&key.public_key) {
                writeln!(out, "signs        {}", public_key.schemes())?;
            }
            writeln!(out, "state        {}", key.state)?;
            key.state_reason.iter().try_for_each(|reason| writeln!(out, "reason       {}", field(reason)))?;
            key.leased_batch.iter().try_for_each(|batch| writeln!(out, "in use for   batch {batch}"))?;
            writeln!(out, "signatures   {}", key.signature_count)?;
            writeln!(out, "added        {}", field(&key.created_at))?;
        }
        Ok(())
    }
}
