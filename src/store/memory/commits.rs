//! Committing signatures, in memory.

use super::{MemoryStore, state::State};
use crate::{
    domain::{BatchId, BatchState, CommitVerdict, Epoch, Lease, NodeId, Outcome, SignedBatch},
    store::{BatchRow, Committing, StoreError},
};

impl Committing for MemoryStore {
    /// Checks everything before it changes anything, because nothing can be rolled back here.
    fn commit(&self, batches: &[SignedBatch]) -> Result<Vec<CommitVerdict>, StoreError> {
        let state = &mut *self.lock();
        let mut verdicts = Vec::with_capacity(batches.len());
        for (position, batch) in batches.iter().enumerate() {
            let lease = batch.lease();
            let earlier = batches[..position].iter().zip(&verdicts);
            let stored = earlier
                .filter(|(_, verdict)| **verdict == CommitVerdict::Committed)
                .find(|(earlier, _)| earlier.lease().batch == lease.batch);
            let (found, epoch, node) = state.standing(lease.batch);
            let stands = (found, epoch, node) == (BatchState::Leased, lease.epoch, Some(lease.node));
            verdicts.push(if let Some((earlier, _)) = stored {
                let epoch = earlier.lease().epoch;
                CommitVerdict::Fenced { state: BatchState::Signed, epoch, node: None }
            } else if !stands {
                CommitVerdict::Fenced { state: found, epoch, node }
            } else {
                state.check(lease)?;
                CommitVerdict::Committed
            });
        }
        for (batch, _) in
            batches.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == CommitVerdict::Committed)
        {
            state.store(batch);
        }
        Ok(verdicts)
    }

    fn outcomes(&self, sent: &[(BatchId, Epoch)]) -> Result<Vec<Outcome>, StoreError> {
        let tables = self.lock();
        sent.iter()
            .map(|(batch, sent)| {
                let (state, epoch, _) = tables.standing(*batch);
                Ok(Outcome::of(*sent, state, epoch))
            })
            .collect()
    }
}

impl State {
    /// What the constraints of a database hold.
    fn check(&self, lease: &Lease) -> Result<(), StoreError> {
        let found = self.batch(lease.batch)?;
        if found.records != lease.records || found.key != Some(lease.key) {
            return Err(StoreError::Refused(format!(
                "batch {} has other records or another key",
                lease.batch
            )));
        }
        match lease.records.iter().find(|record| self.signatures.contains_key(record)) {
            Some(record) => Err(StoreError::Refused(format!("record {record} is signed already"))),
            None => Ok(()),
        }
    }

    fn store(&mut self, signed: &SignedBatch) {
        let (lease, signed_at) = (signed.lease(), Self::time_text(self.now));
        for (record, value) in signed.signatures() {
            self.signatures.insert(record, (lease.batch, value.to_vec()));
        }
        if let Some(key) = self.keys.get_mut(&lease.key) {
            key.row.signature_count += lease.records.len() as i64;
        }
        if let Some(batch) = self.batches.get_mut(&lease.batch) {
            (batch.state, batch.node, batch.signed_at) = (BatchState::Signed, None, Some(signed_at));
        }
    }

    fn standing(&self, id: BatchId) -> (BatchState, Epoch, Option<NodeId>) {
        let found = self.batches.get(&id).map(|batch| (batch.state, batch.epoch, batch.node));
        found.unwrap_or(BatchState::NOT_THERE)
    }

    fn batch(&self, id: BatchId) -> Result<&BatchRow, StoreError> {
        self.batches.get(&id).ok_or_else(|| StoreError::Corrupt(format!("there is no batch {id}")))
    }
}
