//! The ledger, in memory.

use super::{MemoryStore, state::State};
use signwave::{
    domain::{
        BatchId, Fingerprint, SignedBatch,
        ledger::{BatchSigned, Entry, Hash, Head, KeyChange, KeyChanged, LedgerId, Origin, Receipt},
        promises::ReceiptFact,
    },
    store::{Heads, LedgerRow, Ledgers, SealedLedgerKey, StoreError},
};

/// There is one ledger in memory.
const ID: LedgerId = LedgerId([0x1e, 0xd6, 0xe7, 0, 0, 0, 0, 1]);

impl Ledgers for MemoryStore {
    fn ledger(&self) -> Result<LedgerRow, StoreError> {
        Ok(self.lock().ledger())
    }

    fn receipts(&self, after: u64, limit: usize) -> Result<Vec<ReceiptFact>, StoreError> {
        let state = self.lock();
        let behind = state.receipts.iter().filter(|receipt| receipt.seq > after);
        Ok(behind.take(limit).cloned().collect())
    }

    fn records_roots(&self, first: BatchId, last: BatchId) -> Result<Vec<(BatchId, Hash)>, StoreError> {
        let state = self.lock();
        let root = |receipt: &ReceiptFact| match &receipt.entry {
            Some(Entry::Batch(batch)) => Some((batch.batch, batch.root)),
            _ => None,
        };
        let mut roots: Vec<_> = state.receipts.iter().filter_map(root).collect();
        roots.retain(|(batch, _)| (first..=last).contains(batch));
        roots.sort_unstable_by_key(|(batch, _)| *batch);
        Ok(roots)
    }
}

impl Heads for MemoryStore {
    fn ledger_key(&self) -> Result<Option<SealedLedgerKey>, StoreError> {
        Ok(self.lock().ledger_key.clone())
    }

    fn add_ledger_key(&self, key: &SealedLedgerKey) -> Result<(), StoreError> {
        self.lock().ledger_key.get_or_insert_with(|| key.clone());
        Ok(())
    }

    fn replace_ledger_key(&self, before: &[u8], sealed: &[u8]) -> Result<bool, StoreError> {
        let state = &mut *self.lock();
        let key = state.ledger_key.as_mut().filter(|key| key.sealed == before);
        Ok(key.map(|key| key.sealed = sealed.to_vec()).is_some())
    }

    fn store_checkpoint(&self, size: u64, note: &str) -> Result<(), StoreError> {
        let checkpoint = &mut self.lock().checkpoint;
        if checkpoint.as_ref().is_none_or(|(before, _)| *before < size) {
            *checkpoint = Some((size, note.to_owned()));
        }
        Ok(())
    }
}

impl State {
    pub(super) fn ledger(&self) -> LedgerRow {
        let origin = Origin { id: ID, incarnation: 1.try_into().expect("it is not 0") };
        let public_key = self.ledger_key.as_ref().map(|key| key.public);
        let checkpoint = self.checkpoint.clone();
        let head = self.edge.head();
        LedgerRow { origin, head, halted: None, halted_size: None, public_key, checkpoint }
    }

    /// Adds the receipt of a batch.
    pub(super) fn add_receipt(&mut self, signed: &SignedBatch, signed_at: &str) {
        let lease = signed.lease();
        let entry = Entry::Batch(BatchSigned {
            batch: lease.batch(),
            records: lease.records().clone(),
            epoch: lease.epoch(),
            scheme: lease.scheme(),
            fingerprint: self.keys[&lease.key()].row.fingerprint,
            signed_at: signed_at.parse().expect("it is a time"),
            root: signed.root(),
        });
        self.add_entry(Some(lease.batch()), entry);
    }

    /// Adds the entry of a key.
    pub(super) fn add_key_entry(&mut self, change: KeyChange, fingerprint: Fingerprint) {
        let at = Self::time_text(self.now).parse().expect("it is a time");
        self.add_entry(None, Entry::Key(KeyChanged { change, fingerprint, at }));
    }

    fn add_entry(&mut self, batch: Option<BatchId>, entry: Entry) {
        let Head { size: seq, root } = Receipt::new(&mut self.edge, entry.clone()).head();
        self.receipts.push(ReceiptFact { seq, batch, entry: Some(entry), root });
    }
}
