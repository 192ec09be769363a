//! Bundles: each record with what shows others that it is in the ledger.

use std::io::{BufWriter, Write};

use anyhow::{Context as _, Result, bail};

use super::{BUFFER, PAGE, cannot_write};
use crate::{
    audit::{BundledBatch, Entries, KnownKeys, LedgerTree},
    cli::progress::ProgressDisplay,
    domain::{BatchId, BatchState, RecordId, Runs, ledger::Note},
    formats::bundle,
    store::{BatchRow, Store},
};

/// Makes the bundles of one database, all with its last checkpoint.
pub(super) struct Bundles<'a> {
    store: &'a dyn Store,
    checkpoint: Note,
    ledger: LedgerTree,
    keys: KnownKeys,
    with_payload: bool,
    /// Records that were signed after the checkpoint.
    left_out: u64,
}

impl<'a> Bundles<'a> {
    /// Reads the ledger up to the last checkpoint.
    pub(super) fn new(store: &'a dyn Store, with_payload: bool) -> Result<Self> {
        let Some((size, checkpoint)) = store.ledger()?.checkpoint else {
            bail!(
                "the ledger has no checkpoint yet, without which a bundle proves nothing: 'signwave sign' and \
                 'signwave serve' make one where there is a master key"
            )
        };
        let damaged = "the last checkpoint is damaged: run 'signwave verify'";
        let checkpoint: Note = checkpoint.parse().context(damaged)?;
        let (mut ledger, keys, left_out) = (LedgerTree::default(), KnownKeys::default(), 0);
        while ledger.size() < size {
            ledger.add(Entries::read(store, ledger.size(), size)?);
        }
        Ok(Self { store, checkpoint, ledger, keys, with_payload, left_out })
    }

    /// Writes the bundles of all records.
    pub(super) fn write_all(mut self, out: impl Write, progress: &ProgressDisplay) -> Result<()> {
        let mut out = BufWriter::with_capacity(BUFFER, out);
        let mut after = BatchId(0);
        loop {
            let page = self.store.batches(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for row in page.into_iter().filter(|batch| batch.state == BatchState::Signed) {
                let records = row.records.clone();
                self.write_batch(row, &records, &mut out)?;
                progress.add(records.len());
            }
        }
        out.flush().map_err(cannot_write)?;
        if self.left_out > 0 {
            log::warn!(
                "{} records were signed after the last checkpoint, and have no bundle yet: run this again",
                self.left_out
            );
        }
        Ok(())
    }

    /// Writes the bundle of one record.
    pub(super) fn write_one(mut self, record: RecordId, mut out: impl Write) -> Result<()> {
        let Some(row) = self.store.batch_of(record)? else {
            bail!("record {record} is not signed, or there is no such record");
        };
        self.write_batch(row, &Runs::from_iter([record]), &mut out)?;
        if self.left_out > 0 {
            bail!("record {record} was signed after the last checkpoint: run this again in a moment");
        }
        out.flush().map_err(cannot_write)
    }

    /// Writes the bundles of these records of a batch.
    fn write_batch(&mut self, row: BatchRow, records: &Runs, out: &mut impl Write) -> Result<()> {
        let Some(in_ledger) = self.ledger.inclusion(row.id) else {
            self.left_out += row.records.len();
            return Ok(());
        };
        let batch = BundledBatch::read(self.store, row, in_ledger.index, &mut self.keys)?;
        let mut written = Ok(());
        self.store.read_signed(records, &mut |row| {
            if written.is_ok() {
                written = batch
                    .bundle(&row, &in_ledger, &self.checkpoint, self.with_payload)
                    .map_err(anyhow::Error::from)
                    .and_then(|bundle| writeln!(out, "{}", bundle::write(&bundle)?).map_err(cannot_write));
            }
        })?;
        written
    }
}
