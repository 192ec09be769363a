//! `signwave ledger lost`: prints what was signed and lost.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::{
    cli::context::Context,
    domain::{BatchId, BatchState, RecordId},
    store::{BatchPage, RecordName, Store, Wanted},
};

/// Print the records whose signatures were lost, as JSON lines.
#[derive(Args, Debug)]
#[command(after_help = "\
Each line names a record that was signed before a database was put back, and the key that signed it,
if the database has the key. A record that was lost together with its signature has its id only.
The records of a batch whose commit no anchor has confirmed are among them: perhaps they were signed.

Example:
  signwave ledger lost | jq -r 'select(.external_id != null) | .external_id'")]
pub struct PrintLost {}

/// How many batches are read at a time.
const PAGE: usize = 100;

impl PrintLost {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let store = context.open_to_read()?.store;
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut before = None;
        loop {
            let page = BatchPage { state: Some(BatchState::Lost), before, limit: PAGE };
            let batches = store.latest_batches(page)?;
            let Some(last) = batches.last() else { return Ok(out.flush()?) };
            before = Some(last.id);
            // With epoch 0 it was never signed.
            for batch in batches.iter().filter(|batch| batch.epoch.0 > 0) {
                print(store.as_ref(), batch.id, batch.key.map(|key| key.to_string()).as_deref(), &mut out)?;
            }
        }
    }
}

fn print(store: &dyn Store, batch: BatchId, fingerprint: Option<&str>, out: &mut impl Write) -> Result<()> {
    let Some((_, records)) = store.batch(batch)? else { return Ok(()) };
    for record in records.iter() {
        let row = store.record(RecordName::Id(record), Wanted::default())?;
        let RecordId(id) = record;
        let line = json!({
            "record_id": id,
            "external_id": row.as_ref().and_then(|row| row.external_id.as_deref()),
            "is_here": row.is_some(),
            "batch": batch.0,
            "fingerprint": fingerprint,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
