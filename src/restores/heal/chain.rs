//! What is put back, in its order.

use super::{error::HealError, exports::Exports};
use crate::{
    anchors::{Attempt, Intended, IntendedBatch, Loss},
    domain::{
        BatchId,
        ledger::{Edge, Hash},
    },
};

/// The entries that follow the end of the database.
#[derive(Debug)]
pub(super) struct Chain {
    entries: Vec<Intended>,
}

impl Chain {
    /// Everything that was committed; and where the anchors do not say whether it was, what the files have of it, because
    /// they were made of what was stored.
    pub(super) fn new(loss: &Loss, exports: &Exports, mut edge: Edge) -> Result<Self, HealError> {
        let mut entries = loss.committed.clone();
        entries.iter().for_each(|entry| edge.push(entry.leaf));
        if !entries.is_empty() && edge.head() != loss.known {
            return Err(HealError::NotAsAnchored { size: loss.known.size });
        }
        let is_proven = |attempt: &&Attempt| {
            let mut batches = attempt.entries.iter().filter(|entry| entry.batch().is_some()).peekable();
            batches.peek().is_some() && batches.all(|entry| exports.is_whole(entry))
        };
        while let Some(next) =
            loss.undecided.iter().filter(is_proven).find(|next| next.previous == edge.head())
        {
            next.entries.iter().for_each(|entry| edge.push(entry.leaf));
            entries.extend(next.entries.iter().cloned());
        }
        Ok(Self { entries })
    }

    /// All entries, in the order of the ledger.
    pub(super) fn entries(&self) -> &[Intended] {
        &self.entries
    }

    /// The batches with the leaves of their entries, in the order of their ids.
    pub(super) fn batches(&self) -> Vec<(&IntendedBatch, Hash)> {
        let entries = self.entries.iter();
        let mut batches: Vec<_> = entries.filter_map(|entry| Some((entry.batch()?, entry.leaf))).collect();
        batches.sort_by_key(|(batch, _)| batch.id);
        batches
    }

    /// The lowest id of a batch, if their ids rise in the ledger.
    pub(super) fn lowest_in_order(&self) -> Option<i64> {
        let ids = || self.entries.iter().filter_map(Intended::batch).map(|batch| batch.id.0);
        ids().is_sorted().then(|| ids().next().unwrap_or(i64::MAX))
    }

    /// Batches that were perhaps stored, and are not here.
    pub(super) fn left_out(&self, loss: &Loss) -> Vec<BatchId> {
        let perhaps = loss.undecided.iter().flat_map(|attempt| &attempt.entries);
        let left_out = perhaps.filter(|entry| !self.entries.contains(entry));
        left_out.filter_map(|entry| entry.batch().map(|batch| batch.id)).collect()
    }
}
