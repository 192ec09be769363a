//! Committing signatures, in memory.

use std::collections::HashMap;

use super::{MemoryStore, state::State};
use signwave::{
    domain::{
        BatchId, BatchState, CommitVerdict, Epoch, Holding, Lease, Outcome, SignedBatch, fence, outcomes,
    },
    store::{BatchRow, Committing, StoreError},
};

impl Committing for MemoryStore {
    /// Checks everything before it changes anything, because nothing can be rolled back here.
    fn commit(&self, batches: &[SignedBatch]) -> Result<Vec<CommitVerdict>, StoreError> {
        let state = &mut *self.lock();
        let (verdicts, standing) =
            fence(batches, state.holdings(batches.iter().map(|batch| batch.lease().batch())));
        standing.iter().try_for_each(|batch| state.check(batch.lease()))?;
        standing.into_iter().for_each(|batch| state.store(batch));
        Ok(verdicts)
    }

    fn outcomes(&self, sent: &[(BatchId, Epoch)]) -> Result<Vec<Outcome>, StoreError> {
        let found = self.lock().holdings(sent.iter().map(|(batch, _)| *batch));
        Ok(outcomes(sent, &found))
    }
}

impl State {
    /// Checks what the constraints of a database enforce.
    fn check(&self, lease: &Lease) -> Result<(), StoreError> {
        let found = self.batch(lease.batch())?;
        if found.records != *lease.records() || found.key != Some(lease.key()) {
            return Err(StoreError::Refused(format!(
                "batch {} has other records or another key",
                lease.batch()
            )));
        }
        match lease.records().iter().find(|record| self.signatures.contains_key(record)) {
            Some(record) => Err(StoreError::Refused(format!("record {record} is signed already"))),
            None => Ok(()),
        }
    }

    fn store(&mut self, signed: &SignedBatch) {
        let (lease, signed_at) = (signed.lease(), Self::time_text(self.now));
        for (record, value) in signed.signatures() {
            self.signatures.insert(record, (lease.batch(), value.to_vec()));
        }
        if let Some(key) = self.keys.get_mut(&lease.key()) {
            key.row.signature_count += lease.records().len() as i64;
        }
        self.add_receipt(signed, &signed_at);
        self.unsequenced.insert(lease.batch());
        if let Some(batch) = self.batches.get_mut(&lease.batch()) {
            (batch.state, batch.node, batch.signed_at) = (BatchState::Signed, None, Some(signed_at));
        }
    }

    fn holdings(&self, batches: impl Iterator<Item = BatchId>) -> HashMap<BatchId, Holding> {
        let holding = |batch: &BatchRow| Holding { state: batch.state, epoch: batch.epoch, node: batch.node };
        batches.filter_map(|id| Some((id, holding(self.batches.get(&id)?)))).collect()
    }

    fn batch(&self, id: BatchId) -> Result<&BatchRow, StoreError> {
        self.batches.get(&id).ok_or_else(|| StoreError::Corrupt(format!("there is no batch {id}")))
    }
}
