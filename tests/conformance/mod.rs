//! The tests, by topic. Each is a function of a [`World`](support::worlds::World).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod batches;
pub mod commits;
pub mod keys;
pub mod leases;
pub mod nodes;
pub mod records;
pub mod together;

use signwave::{
    domain::{CommitVerdict, SignedBatch},
    store::Store,
};

pub fn commit_one(store: &dyn Store, batch: SignedBatch) -> CommitVerdict {
    let verdicts = store.commit(&[batch]).unwrap();
    assert_eq!(verdicts.len(), 1);
    verdicts[0]
}
