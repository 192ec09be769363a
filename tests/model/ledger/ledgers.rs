//! Ledgers by number, so that a state is small. Their entries, trees and heads are the product's.

use std::{collections::HashMap, sync::Mutex};

use signwave::{
    anchors::Past,
    domain::{
        BatchId, Epoch, Fingerprint, Runs, Scheme, Time,
        ledger::{
            self, BatchSigned, Edge, Hash, Head, KeyChange, KeyChanged, LedgerId, LostBatches, Origin,
            Receipt, Restored, leaf_hash,
        },
    },
};

/// A ledger. Equal numbers are equal entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ledger(u32);

/// A signature of a batch, numbered in the order of commits: signing twice gives two values (RSASSA-PSS).
pub type Value = u8;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    Batch {
        batch: BatchId,
        records: Runs,
        epoch: Epoch,
        value: Value,
    },
    Key,
    /// The first of an incarnation.
    Restore {
        incarnation: u32,
        lost: u64,
    },
}

impl Entry {
    /// The product's entry, in a ledger that has had the head `before`.
    pub fn product(&self, before: Head) -> ledger::Entry {
        let (fingerprint, at) = (Fingerprint([0; 32]), Time::from_millis(0));
        match self {
            Self::Batch { batch, records, epoch, value } => ledger::Entry::Batch(BatchSigned {
                batch: *batch,
                records: records.clone(),
                epoch: *epoch,
                scheme: Scheme::default(),
                fingerprint,
                signed_at: at,
                root: leaf_hash(&[*value]),
            }),
            Self::Key => ledger::Entry::Key(KeyChanged { change: KeyChange::Added, fingerprint, at }),
            Self::Restore { incarnation, lost } => ledger::Entry::Restore(Restored {
                from: origin(incarnation - 1),
                kept: before.size,
                root: before.root,
                lost: *lost,
                batches: LostBatches::default().head(),
                at,
                reason: "the disk died".parse().unwrap(),
            }),
        }
    }
}

/// The name of the ledger in an incarnation.
pub fn origin(incarnation: u32) -> Origin {
    Origin { id: LedgerId([7; 8]), incarnation: incarnation.try_into().unwrap() }
}

/// All ledgers that any state has.
pub struct Ledgers(Mutex<Known>);

struct Known {
    all: Vec<Grown>,
    numbers: HashMap<(Ledger, Entry), Ledger>,
}

/// A ledger, and what was added last.
#[derive(Clone)]
struct Grown {
    edge: Edge,
    last: Option<(Ledger, Entry, Receipt)>,
}

impl Ledgers {
    /// The ledger without entries.
    pub const EMPTY: Ledger = Ledger(0);

    pub fn new() -> Self {
        let empty = Grown { edge: Edge::default(), last: None };
        Self(Mutex::new(Known { all: vec![empty], numbers: HashMap::new() }))
    }

    fn grown(&self, ledger: Ledger) -> Grown {
        self.0.lock().unwrap().all[ledger.0 as usize].clone()
    }

    /// Adds an entry.
    pub fn push(&self, ledger: Ledger, entry: Entry) -> Ledger {
        let known = &mut *self.0.lock().unwrap();
        *known.numbers.entry((ledger, entry.clone())).or_insert_with(|| {
            let mut edge = known.all[ledger.0 as usize].edge.clone();
            let product = entry.product(edge.head());
            let receipt = Receipt::new(&mut edge, product);
            known.all.push(Grown { edge, last: Some((ledger, entry, receipt)) });
            Ledger(known.all.len() as u32 - 1)
        })
    }

    pub fn head(&self, ledger: Ledger) -> Head {
        self.0.lock().unwrap().all[ledger.0 as usize].edge.head()
    }

    pub fn size(&self, ledger: Ledger) -> u64 {
        self.0.lock().unwrap().all[ledger.0 as usize].edge.size()
    }

    /// The ledger when it had `size` entries; `None` if it never had.
    pub fn up_to(&self, mut ledger: Ledger, size: u64) -> Option<Ledger> {
        let known = self.0.lock().unwrap();
        loop {
            let grown = &known.all[ledger.0 as usize];
            if grown.edge.size() <= size {
                return (grown.edge.size() == size).then_some(ledger);
            }
            (ledger, ..) = *grown.last.as_ref()?;
        }
    }

    /// The root at a size.
    pub fn root_at(&self, ledger: Ledger, size: u64) -> Option<Hash> {
        self.up_to(ledger, size).map(|ledger| self.head(ledger).root)
    }

    /// As the store reads it.
    pub fn past(&self, ledger: Ledger, size: u64) -> Past {
        let receipts = self.receipts(ledger).into_iter().skip(size as usize);
        let others = receipts.filter(|(entry, _)| !matches!(entry, Entry::Batch { .. }));
        let others = others.map(|(_, receipt)| (receipt.seq(), receipt.entry().clone())).collect();
        Past { root: self.root_at(ledger, size), others }
    }

    /// How many entries two ledgers have in common.
    pub fn common(&self, one: Ledger, other: Ledger) -> u64 {
        let smaller = self.size(one).min(self.size(other));
        let is_same = |size: &u64| self.up_to(one, *size) == self.up_to(other, *size);
        (0..=smaller).rev().find(is_same).unwrap_or_default()
    }

    /// Whether a ledger begins with another.
    pub fn continues(&self, ledger: Ledger, other: Ledger) -> bool {
        ledger == other || self.up_to(ledger, self.size(other)) == Some(other)
    }

    /// All entries with their receipts, in order.
    pub fn receipts(&self, mut ledger: Ledger) -> Vec<(Entry, Receipt)> {
        let mut receipts = Vec::new();
        while let Some((before, entry, receipt)) = self.grown(ledger).last {
            receipts.push((entry, receipt));
            ledger = before;
        }
        receipts.reverse();
        receipts
    }

    /// The receipts that lead from one ledger to another that continues it.
    pub fn between(&self, before: Ledger, after: Ledger) -> Vec<Receipt> {
        let receipts = self.receipts(after).into_iter().skip(self.size(before) as usize);
        receipts.map(|(_, receipt)| receipt).collect()
    }
}
