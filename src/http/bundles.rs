//! Bundles: what is kept in memory, so that a bundle does not cost a reading of the whole ledger.

use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use super::problem::{Kind, Problem};
use crate::{
    audit::{BundledBatch, Entries, LedgerTree, NoBundle},
    domain::{
        BatchId,
        ledger::{Checkpoint, Inclusion, Origin},
    },
};

/// What is kept from bundle to bundle.
#[derive(Default)]
pub struct Bundles(Mutex<Kept>);

impl Bundles {
    /// What is kept. Others wait until the guard is dropped.
    pub async fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().await
    }
}

/// The tree of the ledger, as far as it was read, and the batch of the last bundle.
#[derive(Default)]
pub struct Kept {
    origin: Option<Origin>,
    tree: LedgerTree,
    batch: Option<Arc<BundledBatch>>,
}

impl Kept {
    /// After how many entries to read on, so that the tree becomes that of the checkpoint; `None` when it is. A tree that the
    /// checkpoint cannot continue is dropped first, because another database was put in the place of the one before.
    pub fn lacks(&mut self, checkpoint: &Checkpoint) -> Option<u64> {
        if self.origin != Some(checkpoint.origin) || self.tree.size() > checkpoint.size {
            *self = Self { origin: Some(checkpoint.origin), ..Self::default() };
        }
        Some(self.tree.size()).filter(|size| *size < checkpoint.size)
    }

    /// Takes the entries that follow.
    pub fn add(&mut self, entries: Entries) {
        self.tree.add(entries);
    }

    /// Where the entry of a batch is in the tree of the checkpoint, which lacks nothing; `None` if it is not there.
    ///
    /// # Errors
    /// [`NoBundle::Damaged`] where the tree has another root than the checkpoint. Then everything is read anew the next time.
    pub fn inclusion(
        &mut self,
        checkpoint: &Checkpoint,
        batch: BatchId,
    ) -> Result<Option<Inclusion>, NoBundle> {
        if self.tree.root() != Some(checkpoint.root) {
            *self = Self::default();
            return Err(NoBundle::Damaged("the ledger is not that of its last checkpoint".to_owned()));
        }
        Ok(self.tree.inclusion(batch))
    }

    /// The batch of the last bundle, if it is this one.
    pub fn batch(&self, batch: BatchId) -> Option<Arc<BundledBatch>> {
        self.batch.clone().filter(|kept| kept.id() == batch)
    }

    /// Keeps a batch for the next bundle.
    pub fn keep(&mut self, batch: &Arc<BundledBatch>) {
        self.batch = Some(Arc::clone(batch));
    }
}

impl From<NoBundle> for Problem {
    fn from(error: NoBundle) -> Self {
        match error {
            NoBundle::Store(error) => error.into(),
            NoBundle::Damaged(_) => {
                log::error!("api: {error}");
                Self::new(Kind::Internal)
            }
        }
    }
}
