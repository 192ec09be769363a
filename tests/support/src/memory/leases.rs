//! Leasing, in memory.

use super::{MemoryStore, state::State};
use signwave::{
    domain::{BatchId, BatchState, Epoch, IdleKeys, KeyUse, Lease, NodeId, OpenBatch, Reach, Scheme},
    store::{BatchRow, Inventory, Leasing, StoreError},
};

impl Leasing for MemoryStore {
    fn lease(
        &self,
        node: NodeId,
        scheme: Scheme,
        limit: usize,
        reach: &Reach,
    ) -> Result<Vec<Lease>, StoreError> {
        let state = &mut *self.lock();
        if !state.nodes.contains_key(&node) {
            return Err(StoreError::Refused(format!("node {node} is not registered (any more)")));
        }
        let mut idle = IdleKeys::least_recently_used(state.key_uses(reach));
        let mut last_leased = state.keys.values().map(|key| key.row.last_leased).max().unwrap_or(0);
        let open = state.batches.values_mut().filter(|batch| batch.state == BatchState::Open);
        let mut leases = Vec::new();
        for batch in open {
            if leases.len() == limit {
                break;
            }
            let Some(key) = idle.take(batch.records.len() as i64) else { continue };
            last_leased += 1;
            if let Some(key) = state.keys.get_mut(&key) {
                key.row.last_leased = last_leased;
            }
            let open = OpenBatch { id: batch.id, epoch: batch.epoch, records: batch.records.clone() };
            let lease = open.lease(key, node, scheme);
            (batch.state, batch.epoch) = (BatchState::Leased, lease.epoch());
            (batch.key, batch.node, batch.scheme) = (Some(key), Some(node), Some(scheme));
            state.times.entry(batch.id).or_default().1 = Some(state.now);
            leases.push(lease);
        }
        Ok(leases)
    }

    fn release(&self, leases: &[(BatchId, Epoch)]) -> Result<u64, StoreError> {
        let state = &mut *self.lock();
        let mut released = 0;
        for (id, epoch) in leases {
            if let Some(batch) = state.batches.get_mut(id)
                && (batch.state, batch.epoch) == (BatchState::Leased, *epoch)
            {
                give_back(batch);
                released += 1;
            }
        }
        Ok(released)
    }

    fn inventory(&self, node: NodeId, stored: &[(BatchId, Epoch)]) -> Result<Inventory, StoreError> {
        let state = self.lock();
        let held = state.batches.values().filter(|batch| batch.node == Some(node));
        let is_lost = |(id, epoch): &&(BatchId, Epoch)| {
            let found = state.batches.get(id).map(|batch| (batch.state, batch.epoch));
            found != Some((BatchState::Signed, *epoch))
        };
        Ok(Inventory {
            held: held.map(|batch| (batch.id, batch.epoch)).collect(),
            lost: stored.iter().filter(is_lost).copied().collect(),
        })
    }
}

impl State {
    fn key_uses(&self, reach: &Reach) -> impl Iterator<Item = KeyUse> {
        let reached = self.keys.values().filter(|key| reach.includes(&key.row.custody));
        reached.map(|key| KeyUse {
            id: key.row.id,
            state: key.row.state,
            barred: self.barred(&key.row).is_some(),
            leased: self.leased_with(key.row.id).is_some(),
            last_leased: key.row.last_leased,
            left: Self::left(&key.row),
        })
    }

    /// Gives back everything that a node holds.
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
