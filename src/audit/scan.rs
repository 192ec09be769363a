//! The state that all threads of a check share.

use super::{findings::Findings, keys::VerifyingKeys};
use crate::{
    domain::BatchId,
    store::{Audit, BatchRow, StoreError},
};

/// A check that is under way.
pub(super) struct Scan<'a> {
    pub(super) store: &'a dyn Audit,
    pub(super) keys: &'a VerifyingKeys<'a>,
    pub(super) findings: &'a Findings,
    pub(super) progress: &'a (dyn Fn(u64) + Sync),
}

impl Scan<'_> {
    /// The batch as it is now.
    pub(super) fn reread(&self, batch: BatchId) -> Result<Option<BatchRow>, StoreError> {
        let page = self.store.batches(BatchId(batch.0 - 1), 1)?;
        Ok(page.into_iter().find(|row| row.id == batch))
    }
}
