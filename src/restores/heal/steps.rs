//! The transactions in which everything is put back.

use super::{chain::Chain, check::existing, error::HealError, exports::Exports};
use crate::{
    anchors::{IntendedBatch, IntendedEntry},
    domain::{
        By, Contents, RecordId, SignatureBuf,
        ledger::{Bundle, Edge, Entry, Hash, Origin},
    },
    restores::error::RestoreError,
    store::{HealVerdict, Healing, LostRecord, Restores, StoreError},
};

/// The most records of one transaction, and about the most bytes.
const RECORDS: usize = 1000;
const BYTES: usize = 16 << 20;

/// A database that gets back what it lacks.
pub(super) struct Steps<'a> {
    pub(super) store: &'a dyn Restores,
    pub(super) origin: Origin,
    /// The ledger so far.
    pub(super) edge: Edge,
    pub(super) exports: Exports,
    pub(super) by: &'a By,
}

impl Steps<'_> {
    /// One transaction.
    pub(super) fn step(&self, part: Healing<'_>) -> Result<HealVerdict, HealError> {
        match self.store.heal((self.origin, self.edge.head()), part, self.by)? {
            HealVerdict::Changed => Err(RestoreError::Changed.into()),
            done => Ok(done),
        }
    }

    /// Forms all batches, and stores the records that are not there. A batch whose entry comes later may have a lower id.
    pub(super) fn form_all(&mut self, chain: &Chain, highest: RecordId) -> Result<(), HealError> {
        for (batch, leaf) in chain.batches() {
            self.store_records(batch, leaf)?;
            self.step(Healing::Batch { batch, highest })?;
        }
        Ok(())
    }

    fn store_records(&mut self, batch: &IntendedBatch, leaf: Hash) -> Result<(), HealError> {
        let there = existing(self.store, batch, None)?;
        let (mut bundles, mut bytes) = (Vec::new(), 0);
        for (index, record) in batch.records.iter().enumerate() {
            if there.contains_key(&record) {
                continue;
            }
            let bundle = self.bundle(leaf, index)?;
            bytes += bundle.payload.as_ref().map_or(0, Vec::len);
            bundles.push(bundle);
            if bundles.len() >= RECORDS || bytes >= BYTES {
                self.store_some(&bundles)?;
                (bundles, bytes) = (Vec::new(), 0);
            }
        }
        self.store_some(&bundles)
    }

    fn store_some(&self, bundles: &[Bundle]) -> Result<(), HealError> {
        if bundles.is_empty() {
            return Ok(());
        }
        let records: Option<Vec<_>> = bundles.iter().map(lost).collect();
        self.step(Healing::Records(&records.ok_or_else(changed)?)).map(drop)
    }

    /// Appends all entries, each with what it is about.
    pub(super) fn append_all(&mut self, chain: &Chain, progress: &dyn Fn(u64)) -> Result<(), HealError> {
        for entry in chain.entries() {
            match &entry.what {
                IntendedEntry::Batch(batch) => {
                    self.sign(entry.leaf)?;
                    progress(batch.records.len());
                }
                IntendedEntry::Other(Entry::Key(changed)) => {
                    self.step(Healing::Key(changed))?;
                }
                IntendedEntry::Other(_) => return Err(HealError::OtherEntry(entry.seq)),
            }
            self.edge.push(entry.leaf);
        }
        Ok(())
    }

    fn sign(&mut self, leaf: Hash) -> Result<(), HealError> {
        let entry = self.exports.entry(leaf).cloned().ok_or_else(changed)?;
        let (mut contents, mut signatures) = (Contents::default(), SignatureBuf::default());
        for index in 0..entry.records.len() as usize {
            let Bundle { digest, external_id, signature, .. } = self.bundle(leaf, index)?;
            if index == 0 {
                let count = entry.records.len() as usize;
                (contents, signatures) =
                    (Contents::with_capacity(count), SignatureBuf::with_capacity(signature.len(), count));
            }
            contents.push(digest, external_id.as_deref());
            let stored = signatures.push_zeroed();
            if stored.len() != signature.len() {
                return Err(changed());
            }
            stored.copy_from_slice(&signature);
        }
        self.step(Healing::Signed { entry: &entry, contents: &contents, signatures: &signatures }).map(drop)
    }

    fn bundle(&mut self, leaf: Hash, index: usize) -> Result<Bundle, HealError> {
        self.exports.bundle(leaf, index)?.ok_or_else(changed)
    }
}

/// The record of a bundle; `None` without its payload.
fn lost(bundle: &Bundle) -> Option<LostRecord<'_>> {
    let payload = bundle.payload.as_deref()?;
    Some(LostRecord { id: bundle.record, external_id: bundle.external_id.as_deref(), payload })
}

/// The plan has everything, so what is missing was taken away since.
fn changed() -> HealError {
    HealError::Restore(
        StoreError::Refused("the files have changed since they were verified".to_owned()).into(),
    )
}
