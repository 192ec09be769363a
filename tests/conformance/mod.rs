//! The tests, by topic. Each is a function of a [`World`](crate::worlds::World).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod batches;
pub mod commits;
pub mod keys;
pub mod leases;
pub mod nodes;
pub mod records;
pub mod together;

use signwave::{
    domain::{BatchId, CommitVerdict, Epoch, Lease, NodeId, OpenBatch, SignedBatch},
    store::Store,
};

/// The same lease once more, as only a test may have it.
pub fn copy(lease: &Lease) -> Lease {
    forge(lease, lease.batch(), lease.node(), lease.epoch())
}

/// As `lease`, but of another batch or node, or with another number.
pub fn forge(lease: &Lease, batch: BatchId, node: NodeId, epoch: Epoch) -> Lease {
    let open = OpenBatch { id: batch, epoch: Epoch(epoch.0 - 1), records: lease.records().clone() };
    open.lease(lease.key(), node, lease.scheme())
}

pub fn commit_one(store: &dyn Store, batch: SignedBatch) -> CommitVerdict {
    let verdicts = store.commit(&[batch]).unwrap();
    assert_eq!(verdicts.len(), 1);
    verdicts[0]
}
