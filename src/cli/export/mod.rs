//! `signwave export`: streams the signatures to a file or to standard output.

mod output;

use std::{
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
    domain::{BatchId, BatchState},
    formats::{
        signatures::{Format, Sink},
        signed::{Fingerprints, Signed},
    },
    store::{BatchRow, Reading},
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
