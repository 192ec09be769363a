//! The tree over the batches that were signed and lost.

use super::{Edge, Head, leaf_hash};
use crate::domain::{BatchId, Runs};

/// All batches of a database that are lost, also those of earlier restores, in the order of their ids. The data of a leaf is
/// a line for the id, and one for the runs of records.
#[derive(Clone, Debug, Default)]
pub struct LostBatches(Edge);

impl LostBatches {
    /// Adds the next batch.
    pub fn add(&mut self, id: BatchId, records: &Runs) {
        self.0.push(leaf_hash(format!("{id}\n{records}\n").as_bytes()));
    }

    /// How many there are, and their root.
    pub fn head(&self) -> Head {
        self.0.head()
    }
}
