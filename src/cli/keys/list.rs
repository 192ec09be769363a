//! `signwave keys list`.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::context::Context,
    domain::{KeyLimits, KeyState},
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
        let store = context.open_to_read()?.store;
        let (keys, status) = (store.keys()?, store.status()?);
        let unreachable: Vec<_> = status.unreachable().map(|(custodian, _)| custodian).collect();
        let is_unreachable =
            |key: &KeyRow| key.state == KeyState::Active && unreachable.contains(&key.custody.as_str());
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            writeln!(out, "{}", shown::json(&keys.iter().map(as_json).collect()))?;
        } else {
            writeln!(
                out,
                "{:>6}  {:16}  {:>5}  {:9}  {:>12}  {:24}  custody",
                "id", "fingerprint", "bits", "state", "signatures", "added"
            )?;
            for key in &keys {
                let fingerprint = key.fingerprint.to_string();
                let notes = notes(key).map(|note| format!("  ({note})"));
                writeln!(
                    out,
                    "{:>6}  {:16}  {:>5}  {:9}  {:>12}  {:24}  {}{}{}",
                    key.id.0,
                    &fingerprint[..16],
                    key.bits,
                    key.state.name(),
                    key.signature_count,
                    field(&key.created_at),
                    field(&key.custody),
                    if is_unreachable(key) { ", which no node at work can use" } else { "" },
                    notes.collect::<String>()
                )?;
            }
        }
        Ok(out.flush()?)
    }
}

/// Why the key is in its state, why it may not sign now, and its limits.
fn notes(key: &KeyRow) -> impl Iterator<Item = String> {
    let reason = key.state_reason.as_ref().map(|reason| field(reason).to_string());
    let limits = (key.limits != KeyLimits::default()).then(|| key.limits.to_string());
    let barred = key.barred.map(|barred| barred.to_string());
    [reason, barred, limits].into_iter().flatten()
}

/// A key as programs read it.
pub fn as_json(key: &KeyRow) -> Value {
    json!({
        "id": key.id.0,
        "fingerprint": key.fingerprint.to_string(),
        "bits": key.bits,
        "custody": key.custody,
        "state": key.state.name(),
        "state_reason": key.state_reason,
        "max_signatures": key.limits.max_signatures.map(|most| most.get()),
        "not_before": key.limits.not_before.map(|time| time.to_string()),
        "not_after": key.limits.not_after.map(|time| time.to_string()),
        "barred": key.barred.map(|reason| reason.name()),
        "leased_batch": key.leased_batch.map(|batch| batch.0),
        "last_leased": key.last_leased,
        "signature_count": key.signature_count,
        "created_at": key.created_at,
    })
}
