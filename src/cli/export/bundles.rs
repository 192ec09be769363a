//! Bundles: each record with what shows others that it is in the ledger.

use std::{
    collections::HashMap,
    io::{BufWriter, Write},
};

use anyhow::{Context as _, Result, bail};

use super::{BUFFER, PAGE, cannot_write};
use crate::{
    cli::progress::ProgressDisplay,
    domain::{
        BatchId, BatchState, KeyId, RecordId,
        ledger::{BatchSigned, Bundle, Entry, Hash, Inclusion, Levels, Note, name_hash, record_leaf},
    },
    formats::bundle,
    signer::digest,
    store::{BatchRow, SignedRow, Store},
};

/// Receipts read at a time.
const RECEIPTS: usize = 1000;

/// Makes the bundles of one database, all with its last checkpoint.
pub(super) struct Bundles<'a> {
    store: &'a dyn Store,
    checkpoint: Note,
    /// The tree of the ledger up to the checkpoint, with an index for each batch.
    ledger: Levels,
    indexes: HashMap<BatchId, u64>,
    keys: HashMap<KeyId, Vec<u8>>,
    with_payload: bool,
    /// Records that were signed after the checkpoint.
    left_out: u64,
}

/// A batch that bundles are made of.
struct Batch<'a> {
    row: &'a BatchRow,
    entry: BatchSigned,
    in_ledger: Inclusion,
    spki: Vec<u8>,
    records: Levels,
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
        let (mut leaves, mut indexes) = (Vec::new(), HashMap::new());
        while (leaves.len() as u64) < size {
            let page = store.receipts(leaves.len() as u64, RECEIPTS)?;
            if page.is_empty() {
                bail!("the ledger lacks receipts: run 'signwave verify'");
            }
            for receipt in page.iter().take(size as usize - leaves.len()) {
                let entry = receipt.entry.as_ref();
                let entry = entry
                    .with_context(|| format!("receipt {} is damaged: run 'signwave verify'", receipt.seq))?;
                indexes.extend(receipt.batch.map(|batch| (batch, leaves.len() as u64)));
                leaves.push(entry.leaf());
            }
        }
        let (ledger, keys, left_out) = (Levels::new(leaves), HashMap::new(), 0);
        Ok(Self { store, checkpoint, ledger, indexes, keys, with_payload, left_out })
    }

    /// Writes the bundles of all records.
    pub(super) fn write_all(mut self, out: impl Write, progress: &ProgressDisplay) -> Result<()> {
        let mut out = BufWriter::with_capacity(BUFFER, out);
        let mut after = BatchId(0);
        loop {
            let page = self.store.batches(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for row in page.iter().filter(|batch| batch.state == BatchState::Signed) {
                self.write_batch(row, None, &mut out)?;
                progress.add(row.records.len());
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
        self.write_batch(&row, Some(record), &mut out)?;
        if self.left_out > 0 {
            bail!("record {record} was signed after the last checkpoint: run this again in a moment");
        }
        out.flush().map_err(cannot_write)
    }

    fn write_batch(&mut self, row: &BatchRow, only: Option<RecordId>, out: &mut impl Write) -> Result<()> {
        let Some(index) = self.indexes.get(&row.id).copied() else {
            self.left_out += row.records.len();
            return Ok(());
        };
        let batch = self.batch(row, index)?;
        let (mut index, mut written) = (0, Ok(()));
        self.store.read_signed(&row.records, &mut |row| {
            if written.is_ok() && only.is_none_or(|only| only == row.record) {
                written = self
                    .bundle(&batch, index, &row)
                    .and_then(|bundle| writeln!(out, "{}", bundle::write(&bundle)?).map_err(cannot_write));
            }
            index += 1;
        })?;
        written
    }

    /// Reads what the bundles of a batch have in common. `index` is that of its entry.
    fn batch<'b>(&mut self, row: &'b BatchRow, index: u64) -> Result<Batch<'b>> {
        let damaged = || format!("batch {} is damaged: run 'signwave verify'", row.id);
        let receipt = self.store.receipts(index, 1)?.into_iter().next();
        let Some(Entry::Batch(entry)) = receipt.and_then(|receipt| receipt.entry) else { bail!(damaged()) };
        let mut leaves = Vec::new();
        self.store.read_signed(&row.records, &mut |signed| {
            leaves.extend(leaf(row, &signed));
        })?;
        if leaves.len() as u64 != row.records.len() {
            bail!(damaged());
        }
        let key = row.key.with_context(damaged)?;
        if !self.keys.contains_key(&key) {
            let found = self.store.key(key)?.with_context(damaged)?;
            self.keys.insert(key, found.public_key);
        }
        let spki = self.keys.get(&key).cloned().unwrap_or_default();
        let in_ledger = Inclusion { index, path: self.ledger.path(index as usize) };
        Ok(Batch { row, entry, in_ledger, spki, records: Levels::new(leaves) })
    }

    fn bundle(&self, batch: &Batch<'_>, index: usize, row: &SignedRow<'_>) -> Result<Bundle> {
        let (_, signature) = row.signature.context("a signature is missing: run 'signwave verify'")?;
        let scheme = batch.entry.scheme;
        Ok(Bundle {
            record: row.record,
            external_id: row.external_id.map(str::to_owned),
            payload: self.with_payload.then(|| row.payload.to_vec()),
            digest: digest(scheme.digest(), row.payload),
            scheme,
            signature: signature.to_vec(),
            spki: batch.spki.clone(),
            entry: batch.entry.clone(),
            in_batch: Inclusion { index: index as u64, path: batch.records.path(index) },
            records: batch.row.records.len(),
            in_ledger: batch.in_ledger.clone(),
            checkpoint: self.checkpoint.clone(),
        })
    }
}

/// The leaf of a record; `None` without a signature or a scheme.
fn leaf(batch: &BatchRow, row: &SignedRow<'_>) -> Option<Hash> {
    let (scheme, (_, signature)) = batch.scheme.zip(row.signature)?;
    let digest = digest(scheme.digest(), row.payload);
    Some(record_leaf(row.record, &digest, row.external_id.map(name_hash), signature))
}
