//! `signwave export`: streams the signatures to a file or to standard output.

mod bundles;
mod follow;
mod output;
mod state;

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use self::{bundles::Bundles, output::Output};
use super::{
    context::Context,
    progress::{ProgressDisplay, Unit},
};
use crate::{
    domain::{BatchId, BatchState, RecordId},
    formats::{
        signatures::{Also, Format, Sink},
        signed::{Fingerprints, Signed},
    },
    store::{BatchRow, Reading, Store},
};

/// Write the stored signatures.
#[derive(Args, Debug)]
#[command(after_help = "\
Each row has record_id, external_id, fingerprint (of the key), scheme, signed_at and signature
(in base64), and payload_base64 if --with-payload is given. Records without a signature are left
out.

With --after, --follow or --state the rows come in the order of the feed, and each has a position,
which is the place behind the row. With --after and the position of the last row that you have, you
get every signature that you do not have, once. Never go on behind the highest signed_at or
record_id that you have, because signatures are stored in another order: you would lose some.

--state FILE keeps the position in a file, which is replaced after the rows were written. If the
command is killed in between, the next one writes some rows again, and none is lost. If the
position is ahead of the database, because an older backup was restored, the command fails.

With --as bundle, each line is a bundle: a record with its signature, its key, its receipt and the last
checkpoint, which 'signwave verify --bundle' checks without the database.

The output file appears under its name only when it is complete. Only its owner can read a new file.
A file that existed before keeps its permissions. A symbolic link is followed. Devices, named pipes
and /dev/fd/N are written to directly.

Examples:
  signwave export -o signatures.jsonl
  signwave export --format csv | head
  signwave export --state position >> signatures.jsonl
  signwave export --as bundle --with-payload > bundles.jsonl
  signwave export --after 5f3c09a1be72.41 --follow")]
pub struct Export {
    /// The format of the output
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// What to make of each record, instead of a row
    #[arg(long = "as", value_name = "WHAT", conflicts_with_all = ["format", "follow", "after", "state"])]
    what: Option<What>,
    /// Write the bundle of this record only
    #[arg(long, value_name = "ID", requires = "what")]
    record: Option<i64>,
    /// The file to write, or '-' [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Add the payloads
    #[arg(long)]
    with_payload: bool,
    #[command(flatten)]
    feed: follow::Options,
}

/// What a record can become.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// A JSON object with the signature, the key, the receipt and a checkpoint: see 'verify --bundle'
    Bundle,
}

/// Batches read at a time.
const PAGE: usize = 100;
/// Bytes written at a time.
const BUFFER: usize = 1 << 16;

impl Export {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let database = context.open_to_read()?;
        if self.feed.is_given() {
            return self.run_feed(context, &database);
        }
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

    fn write(&self, store: &dyn Store, out: impl Write, progress: &ProgressDisplay) -> Result<()> {
        match (self.what, self.record) {
            (Some(What::Bundle), None) => {
                return Bundles::new(store, self.with_payload)?.write_all(out, progress);
            }
            (Some(What::Bundle), Some(record)) => {
                return Bundles::new(store, self.with_payload)?.write_one(RecordId(record), out);
            }
            (None, _) => {}
        }
        let also = Also { payload: self.with_payload, position: false };
        let mut sink =
            Sink::new(self.format, BufWriter::with_capacity(BUFFER, out), also).map_err(cannot_write)?;
        let mut keys = Fingerprints::default();
        let mut after = BatchId(0);
        loop {
            let page = store.batches(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for batch in page.iter().filter(|batch| batch.state == BatchState::Signed) {
                let damaged = || format!("batch {} lacks its key or scheme: run 'signwave verify'", batch.id);
                let signed = keys.signed(store, batch)?.with_context(damaged)?;
                self.write_batch(store, batch, &signed, &mut sink)?;
                progress.add(batch.records.len());
            }
        }
        sink.finish().map_err(cannot_write)
    }

    fn write_batch(
        &self,
        store: &dyn Reading,
        batch: &BatchRow,
        signed: &Signed<'_>,
        sink: &mut Sink<impl Write>,
    ) -> Result<()> {
        let (mut written, mut rows) = (Ok(()), 0);
        store.read_signed(&batch.records, &mut |row| {
            if let (true, Some(row)) = (written.is_ok(), signed.row(&row, self.with_payload)) {
                written = sink.write(&row);
                rows += 1;
            }
        })?;
        written.map_err(cannot_write)?;
        if rows != batch.records.len() {
            bail!("signatures of batch {} are missing: run 'signwave verify'", batch.id);
        }
        Ok(())
    }
}

fn cannot_write(error: io::Error) -> anyhow::Error {
    let text = format!("the output cannot be written: {error}");
    anyhow::Error::new(error).context(text)
}
