//! `signwave keys list`.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::context::Context,
    formats::shown::{self, field},
    store::KeyRow,
};

/// List all keys.
#[derive(Args, Debug)]
pub struct List {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let keys = context.open_to_read()?.store.keys()?;
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            writeln!(out, "{}", shown::json(&keys.iter().map(as_json).collect()))?;
        } else {
            writeln!(
                out,
                "{:>6}  {:16}  {:>5}  {:9}  {:>12}  added",
                "id", "fingerprint", "bits", "state", "signatures"
            )?;
            for key in &keys {
                let fingerprint = key.fingerprint.to_string();
                writeln!(
                    out,
                    "{:>6}  {:16}  {:>5}  {:9}  {:>12}  {}{}",
                    key.id.0,
                    &fingerprint[..16],
                    key.bits,
                    key.state.name(),
                    key.signature_count,
                    field(&key.created_at),
                    key.state_reason
                        .iter()
                        .map(|reason| format!("  ({})", field(reason)))
                        .collect::<String>()
                )?;
            }
        }
        Ok(out.flush()?)
    }
}

/// A key as programs read it.
pub fn as_json(key: &KeyRow) -> Value {
    json!({
        "id": key.id.0,
        "fingerprint": key.fingerprint.to_string(),
        "bits": key.bits,
        "state": key.state.name(),
        "state_reason": key.state_reason,
        "leased_batch": key.leased_batch.map(|batch| batch.0),
        "last_leased": key.last_leased,
        "signature_count": key.signature_count,
        "created_at": key.created_at,
    })
}
