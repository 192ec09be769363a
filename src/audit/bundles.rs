//! Makes bundles of what is stored.

use std::{collections::HashMap, sync::Arc};

use crate::{
    domain::{
        BatchId, BatchRow, KeyId,
        ledger::{BatchSigned, Bundle, Entry, Hash, Inclusion, Levels, Note, name_hash, record_leaf},
    },
    signer::digest,
    store::{SignedRow, Store, StoreError},
};

/// Why there is no bundle.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoBundle {
    /// The database does not do what it is asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored does not fit together.
    #[error("{0}: run 'signwave verify'")]
    Damaged(String),
}

/// The tree of the ledger up to some entry, with the places of the batches: 80 bytes an entry.
#[derive(Clone, Debug, Default)]
pub struct LedgerTree {
    levels: Levels,
    /// The index of each batch's entry, in the order of the batches.
    indexes: Vec<(BatchId, u64)>,
}

/// Entries of the ledger that follow each other, as the tree takes them.
#[derive(Clone, Debug)]
pub struct Entries(Vec<(Option<BatchId>, Hash)>);

impl Entries {
    /// The most entries that are read at a time.
    const MOST: usize = 1000;

    /// Reads the entries that follow the first `after` ones, up to number `last`: 1000 at most, and at least one.
    ///
    /// # Errors
    /// Those of the store, and [`NoBundle::Damaged`] where an entry is missing or cannot be made anew.
    pub fn read(store: &dyn Store, after: u64, last: u64) -> Result<Self, NoBundle> {
        let wanted = last.saturating_sub(after).min(Self::MOST as u64) as usize;
        let receipts = store.receipts(after, wanted)?;
        if receipts.is_empty() {
            return Err(NoBundle::Damaged("the ledger lacks receipts".to_owned()));
        }
        let leaves = receipts.iter().map(|receipt| {
            let leaf = receipt.entry.as_ref().map(|entry| (receipt.batch, entry.leaf()));
            leaf.ok_or_else(|| NoBundle::Damaged(format!("receipt {} is damaged", receipt.seq)))
        });
        Ok(Self(leaves.collect::<Result<_, _>>()?))
    }
}

impl LedgerTree {
    /// How many entries it has.
    pub fn size(&self) -> u64 {
        self.levels.size() as u64
    }

    /// Its root; `None` without entries.
    pub fn root(&self) -> Option<Hash> {
        self.levels.root()
    }

    /// Appends the entries that follow.
    pub fn add(&mut self, Entries(entries): Entries) {
        let places = entries.iter().zip(self.size()..);
        self.indexes.extend(places.filter_map(|((batch, _), index)| Some(((*batch)?, index))));
        self.indexes.sort(); // fast, because batches are signed in about the order in which they are formed
        self.levels.extend(entries.into_iter().map(|(_, leaf)| leaf));
    }

    /// Where the entry of a batch is; `None` if the tree does not have it.
    pub fn inclusion(&self, batch: BatchId) -> Option<Inclusion> {
        let at = self.indexes.binary_search_by_key(&batch, |(batch, _)| *batch).ok()?;
        let (_, index) = self.indexes.get(at).copied()?;
        Some(Inclusion { index, path: self.levels.path(index as usize) })
    }
}

/// The public keys that were needed already.
pub type KnownKeys = HashMap<KeyId, Arc<[u8]>>;

/// A signed batch of which bundles are made. It never changes.
#[derive(Clone, Debug)]
pub struct BundledBatch {
    row: BatchRow,
    entry: BatchSigned,
    spki: Arc<[u8]>,
    records: Levels,
}

impl BundledBatch {
    /// Reads what the bundles of a signed batch have in common, and all its records. `index` is that of its entry.
    ///
    /// # Errors
    /// Those of the store, and [`NoBundle::Damaged`].
    pub fn read(
        store: &dyn Store,
        row: BatchRow,
        index: u64,
        keys: &mut KnownKeys,
    ) -> Result<Self, NoBundle> {
        let damaged = || NoBundle::Damaged(format!("batch {} is damaged", row.id));
        let receipt = store.receipts(index, 1)?.into_iter().next();
        let Some(Entry::Batch(entry)) = receipt.and_then(|receipt| receipt.entry) else {
            return Err(damaged());
        };
        let mut leaves = Vec::new();
        store.read_signed(&row.records, &mut |signed| leaves.extend(leaf(&row, &signed)))?;
        if leaves.len() as u64 != row.records.len() {
            return Err(damaged());
        }
        let key = row.key.ok_or_else(damaged)?;
        let spki = match keys.get(&key) {
            Some(known) => Arc::clone(known),
            None => {
                let found = store.key(key)?.ok_or_else(damaged)?;
                Arc::clone(keys.entry(key).or_insert(found.public_key.into()))
            }
        };
        Ok(Self { row, entry, spki, records: Levels::new(leaves) })
    }

    /// The batch.
    pub fn id(&self) -> BatchId {
        self.row.id
    }

    /// The bundle of one of its records, with the place of the batch in the ledger of `checkpoint`.
    ///
    /// # Errors
    /// [`NoBundle::Damaged`] when the record is not of this batch, or has no signature.
    pub fn bundle(
        &self,
        row: &SignedRow<'_>,
        in_ledger: &Inclusion,
        checkpoint: &Note,
        with_payload: bool,
    ) -> Result<Bundle, NoBundle> {
        let damaged = || NoBundle::Damaged(format!("record {} is damaged", row.record));
        let index = self.row.records.position(row.record).ok_or_else(damaged)?;
        let (_, signature) = row.signature.ok_or_else(damaged)?;
        let scheme = self.entry.scheme;
        Ok(Bundle {
            record: row.record,
            external_id: row.external_id.map(str::to_owned),
            payload: with_payload.then(|| row.payload.to_vec()),
            digest: digest(scheme.digest(), row.payload),
            scheme,
            signature: signature.to_vec(),
            spki: self.spki.to_vec(),
            entry: self.entry.clone(),
            in_batch: Inclusion { index, path: self.records.path(index as usize) },
            records: self.row.records.len(),
            in_ledger: in_ledger.clone(),
            checkpoint: checkpoint.clone(),
        })
    }
}

/// The leaf of a record; `None` without a signature or a scheme.
fn leaf(batch: &BatchRow, row: &SignedRow<'_>) -> Option<Hash> {
    let (scheme, (_, signature)) = batch.scheme.zip(row.signature)?;
    let digest = digest(scheme.digest(), row.payload);
    Some(record_leaf(row.record, &digest, row.external_id.map(name_hash), signature))
}
