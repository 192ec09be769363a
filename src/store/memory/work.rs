//! The life of a batch, in memory.

use super::{OpenBatches, OpenedBatches, State, StoreError};
use crate::{
    domain::{
        BatchId, BatchState, CommitVerdict, Epoch, KeyUse, Lease, NodeId, Outcome, RecordId, Runs, Scheme,
        SignedBatch, least_recently_used,
    },
    store::{BatchRow, Inventory},
};

impl State {
    /// The highest id in any batch.
    pub(super) fn frontier(&self) -> RecordId {
        self.batches.values().next_back().map_or(RecordId(0), |batch| batch.stored_span.1)
    }

    /// The records above the frontier, in id order.
    pub(super) fn above_frontier(&self) -> impl Iterator<Item = RecordId> {
        self.records.range(RecordId(self.frontier().0 + 1)..).map(|(id, _)| *id)
    }

    pub(super) fn in_state(&self, state: BatchState) -> impl Iterator<Item = &BatchRow> {
        self.batches.values().filter(move |batch| batch.state == state)
    }

    pub(super) fn open_batches(&mut self, request: OpenBatches) -> OpenedBatches {
        let batch_size = request.batch_size.max(1);
        let mut result = OpenedBatches {
            open: self.in_state(BatchState::Open).count(),
            leased: self.in_state(BatchState::Leased).count(),
            ..OpenedBatches::default()
        };
        loop {
            let records: Runs = self.above_frontier().take(batch_size).collect();
            let count = records.len() as usize;
            let is_enough = count == batch_size || request.partial;
            if count == 0 || !is_enough || result.open >= request.keep_open {
                return OpenedBatches { waiting: (count > 0).then_some(count), ..result };
            }
            self.form_batch(records);
            result.opened += 1;
            result.open += 1;
        }
    }

    fn form_batch(&mut self, records: Runs) {
        let id = BatchId(self.batches.len() as i64 + 1);
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        let row = BatchRow {
            id,
            stored_span: (first, last, records.len()),
            records,
            state: BatchState::Open,
            epoch: Epoch(0),
            key: None,
            node: None,
            scheme: None,
            signed_at: None,
        };
        self.batches.insert(id, row);
    }

    pub(super) fn lease(
        &mut self,
        node: NodeId,
        scheme: Scheme,
        limit: usize,
    ) -> Result<Vec<Lease>, StoreError> {
        if !self.nodes.contains_key(&node) {
            return Err(StoreError::Refused(format!("node {node} is not registered (any more)")));
        }
        let keys = least_recently_used(self.key_uses(), limit);
        let open: Vec<BatchId> = self.in_state(BatchState::Open).map(|batch| batch.id).collect();
        let mut last_leased = self.keys.values().map(|key| key.row.last_leased).max().unwrap_or(0);
        let mut leases = Vec::new();
        for (id, key) in open.into_iter().zip(keys) {
            last_leased += 1;
            if let Some(key) = self.keys.get_mut(&key) {
                key.row.last_leased = last_leased;
            }
            let Some(batch) = self.batches.get_mut(&id) else { continue };
            batch.state = BatchState::Leased;
            batch.epoch = batch.epoch.next();
            (batch.key, batch.node, batch.scheme) = (Some(key), Some(node), Some(scheme));
            let records = batch.records.clone();
            leases.push(Lease { batch: id, key, node, epoch: batch.epoch, scheme, records });
        }
        Ok(leases)
    }

    fn key_uses(&self) -> impl Iterator<Item = KeyUse> {
        self.keys.values().map(|key| KeyUse {
            id: key.row.id,
            state: key.row.state,
            leased: self.leased_with(key.row.id).is_some(),
            last_leased: key.row.last_leased,
        })
    }

    /// Checks everything before it changes anything, since there is no rollback here.
    pub(super) fn commit(&mut self, batches: &[SignedBatch]) -> Result<Vec<CommitVerdict>, StoreError> {
        let mut verdicts = Vec::with_capacity(batches.len());
        for (position, batch) in batches.iter().enumerate() {
            let lease = batch.lease();
            let earlier = batches[..position].iter().zip(&verdicts);
            let stored = earlier
                .filter(|(_, verdict)| **verdict == CommitVerdict::Committed)
                .find(|(earlier, _)| earlier.lease().batch == lease.batch);
            let (state, epoch, node) = self.standing(lease.batch);
            let stands = (state, epoch, node) == (BatchState::Leased, lease.epoch, Some(lease.node));
            verdicts.push(if let Some((earlier, _)) = stored {
                let epoch = earlier.lease().epoch;
                CommitVerdict::Fenced { state: BatchState::Signed, epoch, node: None }
            } else if !stands {
                CommitVerdict::Fenced { state, epoch, node }
            } else {
                self.check(lease)?;
                CommitVerdict::Committed
            });
        }
        for (batch, _) in
            batches.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == CommitVerdict::Committed)
        {
            self.store(batch);
        }
        Ok(verdicts)
    }

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
        let (lease, signed_at) = (signed.lease(), self.time_text(self.now));
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

    pub(super) fn outcomes(&self, sent: &[(BatchId, Epoch)]) -> Result<Vec<Outcome>, StoreError> {
        sent.iter()
            .map(|(batch, sent)| {
                let (state, epoch, _) = self.standing(*batch);
                Ok(Outcome::of(*sent, state, epoch))
            })
            .collect()
    }

    pub(super) fn inventory(&self, node: NodeId, stored: &[(BatchId, Epoch)]) -> Inventory {
        let held = self.batches.values().filter(|batch| batch.node == Some(node));
        let is_lost = |(id, epoch): &&(BatchId, Epoch)| {
            let found = self.batches.get(id).map(|batch| (batch.state, batch.epoch));
            found != Some((BatchState::Signed, *epoch))
        };
        Inventory {
            held: held.map(|batch| (batch.id, batch.epoch)).collect(),
            lost: stored.iter().filter(is_lost).copied().collect(),
        }
    }

    fn standing(&self, id: BatchId) -> (BatchState, Epoch, Option<NodeId>) {
        let found = self.batches.get(&id).map(|batch| (batch.state, batch.epoch, batch.node));
        found.unwrap_or(BatchState::NOT_THERE)
    }

    fn batch(&self, id: BatchId) -> Result<&BatchRow, StoreError> {
        self.batches.get(&id).ok_or_else(|| StoreError::Corrupt(format!("there is no batch {id}")))
    }

    pub(super) fn release(&mut self, leases: &[(BatchId, Epoch)]) -> u64 {
        let mut released = 0;
        for (id, epoch) in leases {
            if let Some(batch) = self.batches.get_mut(id)
                && (batch.state, batch.epoch) == (BatchState::Leased, *epoch)
            {
                give_back(batch);
                released += 1;
            }
        }
        released
    }

    pub(super) fn release_all_of(&mut self, node: NodeId) -> u64 {
        let held = self.batches.values_mut().filter(|batch| batch.node == Some(node));
        held.map(give_back).count() as u64
    }
}

fn give_back(batch: &mut BatchRow) {
    batch.state = BatchState::Open;
    batch.epoch = batch.epoch.next();
    (batch.key, batch.node, batch.scheme) = (None, None, None);
}
