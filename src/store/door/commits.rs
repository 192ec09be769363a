//! Commits: storing signatures, and reading back what became of that.

use crate::{
    domain::{BatchId, CommitVerdict, Epoch, Outcome, SignedBatch},
    store::StoreError,
};

/// The edge `leased → signed`.
pub trait Committing {
    /// Stores all signatures of each batch whose lease still stands, in one transaction, and says for each
    /// batch what became of it, in order. A fenced batch stores nothing and does not hinder the others. A batch
    /// that does not exist, because the database went back in time, is fenced as if it were open and had never
    /// been leased.
    ///
    /// # Errors
    /// [`StoreError::UnknownOutcome`] when the reply to the commit was lost: ask [`Committing::outcomes`].
    /// After any other error nothing is stored.
    fn commit(&self, batches: &[SignedBatch]) -> Result<Vec<CommitVerdict>, StoreError>;

    /// How many threads can carry out transactions at a time, each on a connection. Threads beyond that wait
    /// for each other.
    fn connections(&self) -> usize {
        1
    }

    /// Reads back what became of commits whose reply was lost, in order; a batch that does not exist is fenced.
    fn outcomes(&self, sent: &[(BatchId, Epoch)]) -> Result<Vec<Outcome>, StoreError>;
}
