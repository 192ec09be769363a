//! `signwave export`: streams the signatures to a file or to standard output.

mod output;

use std::{
    collections::HashMap,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use self::output::Output;
use super::{
    context::Context,
    progress::{ProgressDisplay, Unit},
};
use crate::{
    domain::{BatchId, BatchState, KeyId, Scheme},
    formats::signatures::{Format, Row, Sink},
    store::{BatchRow, Reading, SignedRow},
};

/// Write the stored signatures.
#[derive(Args, Debug)]
#[command(after_help = "\
Each row has record_id, external_id, fingerprint (of the key), scheme, signed_at and signature
(in base64), and payload_base64 if --with-payload is given. Records without a signature are left
out.

The output file appears under its name only when it is complete. Only its owner can read a new file.
A file that existed before keeps its permissions. A symbolic link is followed. Devices, named pipes
and /dev/fd/N are written to directly.

Examples:
  signwave export -o signatures.jsonl
  signwave export --format csv | head")]
pub struct Export {
    /// The format of the output
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// The file to write, or '-' [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Add the payloads
    #[arg(long)]
    with_payload: bool,
}

/// Batches read at a time.
const PAGE: usize = 100;

impl Export {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let database = context.open_to_read()?;
        let store = database.store.as_ref();
        let output = self.output.as_deref().map(|path| Output::new(path, &database.url)).transpose()?;
        let progress = context.progress("exporting", store.status()?.signed, Unit::Pieces);
        match output {
            None => self.write(store, io::stdout().lock(), &progress)?,
            Some(output) => output.write(|out| self.write(store, out, &progress))?,
        }
        progress.finish();
        Ok(())
    }

    fn write(&self, store: &dyn Reading, out: impl Write, progress: &ProgressDisplay) -> Result<()> {
        let mut sink = Sink::new(self.format, BufWriter::with_capacity(1 << 16, out), self.with_payload)
            .map_err(cannot_write)?;
        let mut keys = Fingerprints::default();
        let mut after = BatchId(0);
        loop {
            let page = store.batches(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for batch in page.iter().filter(|batch| batch.state == BatchState::Signed) {
                let signed = keys.signed(store, batch)?;
                self.write_batch(store, &signed, &mut sink)?;
                progress.add(batch.records.len());
            }
        }
        sink.finish().map_err(cannot_write)
    }

    fn write_batch(
        &self,
        store: &dyn Reading,
        signed: &Signed<'_>,
        sink: &mut Sink<impl Write>,
    ) -> Result<()> {
        let (mut written, mut rows) = (Ok(()), 0);
        store.read_signed(&signed.batch.records, &mut |row| {
            if let (true, Some((batch, signature))) = (written.is_ok(), row.signature)
                && batch == signed.batch.id
            {
                written = sink.write(&self.row(signed, &row, signature));
                rows += 1;
            }
        })?;
        written.map_err(cannot_write)?;
        if rows != signed.batch.records.len() {
            bail!("signatures of batch {} are missing: run 'signwave verify'", signed.batch.id);
        }
        Ok(())
    }

    fn row<'a>(&self, signed: &'a Signed<'_>, row: &SignedRow<'a>, signature: &'a [u8]) -> Row<'a> {
        Row {
            record_id: row.record,
            external_id: row.external_id,
            fingerprint: &signed.fingerprint,
            scheme: signed.scheme,
            signed_at: signed.batch.signed_at.as_deref().unwrap_or_default(),
            signature,
            payload: self.with_payload.then_some(row.payload),
        }
    }
}

fn cannot_write(error: io::Error) -> anyhow::Error {
    let text = format!("the output cannot be written: {error}");
    anyhow::Error::new(error).context(text)
}

/// A signed batch, and what its rows have in common.
struct Signed<'a> {
    batch: &'a BatchRow,
    fingerprint: String,
    scheme: Scheme,
}

/// The keys' fingerprints, read when first needed.
#[derive(Default)]
struct Fingerprints(HashMap<KeyId, String>);

impl Fingerprints {
    fn signed<'a>(&mut self, store: &dyn Reading, batch: &'a BatchRow) -> Result<Signed<'a>> {
        let damaged = || format!("batch {} lacks its key or scheme: run 'signwave verify'", batch.id);
        let (key, scheme) = batch.key.zip(batch.scheme).with_context(damaged)?;
        if !self.0.contains_key(&key) {
            self.0.extend(store.keys()?.into_iter().map(|row| (row.id, row.fingerprint.to_string())));
        }
        let fingerprint = self.0.get(&key).with_context(damaged)?.clone();
        Ok(Signed { batch, fingerprint, scheme })
    }
}
