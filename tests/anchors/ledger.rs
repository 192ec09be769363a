//! A ledger in memory, as a database would have it.

use std::{convert::Infallible, path::Path};

use signwave::{
    anchors::{AnchorAddress, AnchorError, Anchors, Missing, Past, Pending, Permit, Standing},
    domain::{
        BatchId, Epoch, Fingerprint, RecordId, Scheme, Time,
        ledger::{BatchSigned, Edge, Entry, Hash, Head, KeyChange, KeyChanged, Origin, Receipt, leaf_hash},
    },
};

/// Entries in their order. A clone is another database: a backup, or a standby.
#[derive(Clone, Default)]
pub struct Ledger {
    pub receipts: Vec<Receipt>,
    /// What tells the entries of one timeline from those of another.
    pub timeline: u8,
}

impl Ledger {
    /// With so many entries.
    pub fn of(size: usize) -> Self {
        let mut ledger = Self::default();
        ledger.receipts = ledger.next(size);
        ledger
    }

    /// The next entries, which it does not have yet. Every third is about a key.
    pub fn next(&self, count: usize) -> Vec<Receipt> {
        let mut edge: Edge = self.receipts.iter().map(Receipt::leaf).collect();
        let range = self.receipts.len()..self.receipts.len() + count;
        range.map(|i| Receipt::new(&mut edge, self.entry(i as i64 + 1))).collect()
    }

    fn entry(&self, seq: i64) -> Entry {
        let (fingerprint, at) = (Fingerprint([self.timeline; 32]), Time::from_millis(seq as u64));
        if seq % 3 == 0 {
            return Entry::Key(KeyChanged { change: KeyChange::Added, fingerprint, at });
        }
        Entry::Batch(BatchSigned {
            batch: BatchId(seq),
            records: (seq * 10..seq * 10 + 3).chain([seq * 10 + 5]).map(RecordId).collect(),
            epoch: Epoch(1),
            scheme: Scheme::Ps256,
            fingerprint,
            signed_at: at,
            root: leaf_hash(&seq.to_be_bytes()),
        })
    }

    pub fn head(&self) -> Head {
        self.receipts.last().map_or_else(|| Edge::default().head(), Receipt::head)
    }

    pub fn root_at(&self, size: u64) -> Option<Hash> {
        let index = usize::try_from(size).unwrap().checked_sub(1).expect("the empty ledger has no head");
        self.receipts.get(index).map(|receipt| receipt.head().root)
    }

    pub fn past(&self, size: u64) -> Result<Past, Infallible> {
        let root = if size == 0 { None } else { self.root_at(size) };
        let behind = self.receipts.iter().filter(|receipt| receipt.seq() > size);
        let others = behind.filter(|receipt| !matches!(receipt.entry(), Entry::Batch(_)));
        Ok(Past { root, others: others.map(|receipt| (receipt.seq(), receipt.entry().clone())).collect() })
    }

    /// As it was with so many entries.
    pub fn back(&self, size: usize) -> Self {
        Self { receipts: self.receipts[..size].to_vec(), timeline: self.timeline }
    }

    pub fn compare<'a>(&self, anchors: &'a Anchors) -> Standing<'a> {
        let Ok(standing) = anchors.expected().compare(self.head(), |size| self.past(size));
        standing
    }

    pub fn permit<'a>(&self, anchors: &'a Anchors) -> Permit<'a> {
        match self.compare(anchors) {
            Standing::Stands(permit) => permit,
            other => panic!("{other:?}"),
        }
    }

    /// Everything before the COMMIT of the next entries.
    pub fn intend<'a>(&self, anchors: &'a Anchors, count: usize) -> (Pending<'a>, Vec<Receipt>) {
        let receipts = self.next(count);
        (self.permit(anchors).intend(&receipts).unwrap(), receipts)
    }

    /// A commit that nothing disturbs.
    pub fn commit(&mut self, anchors: &Anchors, count: usize) {
        let (pending, receipts) = self.intend(anchors, count);
        self.receipts.extend(receipts);
        pending.committed();
    }
}

pub fn origin() -> Origin {
    "signwave/0123456789abcdef/1".parse().unwrap()
}

/// Opens one anchor in a file, or makes it.
pub fn open(path: &Path) -> Anchors {
    try_open(path, Missing::Create).unwrap()
}

pub fn try_open(path: &Path, missing: Missing) -> Result<Anchors, AnchorError> {
    Anchors::open(&[path.into()], origin(), missing)
}

pub fn open_all(addresses: &[AnchorAddress]) -> Anchors {
    Anchors::open(addresses, origin(), Missing::Create).unwrap()
}
