//! Steps of a store, each with one commit, and what a store that is halted refuses.

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    time::Duration,
};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use signwave::{
    domain::{CommitVerdict, Lease, NodeId, Reach, Scheme},
    store::{DatabaseUrl, OpenBatches, Store, StoreError},
};
use support::store::{add_keys, add_records, copy, lease, open, open_with, sign};

/// Somebody who signs, and never gives up: what was leased in one life is stored in the next.
pub struct Signing {
    pub node: NodeId,
    /// What is leased after each step.
    pub held: Vec<Lease>,
}

impl Signing {
    /// Makes keys, and leases a batch. As after every step, one batch is leased, one is open, and a record waits.
    pub fn begin(store: &dyn Store) -> Self {
        add_keys(store, 2);
        add_records(store, 5);
        open(store, 2, usize::MAX, false);
        let node = store.register_node("node", Duration::from_secs(3600), &Reach::default()).unwrap();
        let held = lease(store, node, 1);
        Self { node, held }
    }

    /// Stores what is leased after step `step`, and leases the next batch.
    pub fn go_on_from(&self, step: usize, store: &dyn Store) -> Lease {
        store_leased(store, &self.held[step])
            .unwrap_or_else(|error| panic!("step {step} does not go on: {error}"));
        add_records(store, 2);
        open(store, 2, usize::MAX, false);
        lease(store, self.node, 1).remove(0)
    }

    /// The next step of the history.
    pub fn step(&mut self, store: &dyn Store) {
        self.held.push(self.go_on_from(self.held.len() - 1, store));
    }

    /// That a database which is as after step `step` is halted, and that nothing is formed, leased or signed in it.
    pub fn is_refused(&self, step: usize, store: &dyn Store) {
        let before = state(store);
        behind(store_leased(store, &self.held[step]));
        behind(store.lease(self.node, Scheme::Ps256, 1, &Reach::default()));
        behind(store.open_batches(OpenBatches { batch_size: 2, keep_open: usize::MAX, partial: true }));
        assert_eq!(state(store), before);
        assert!(store.ledger().unwrap().halted.is_some());
    }
}

/// Signs a lease, and stores that.
pub fn store_leased(store: &dyn Store, lease: &Lease) -> Result<(), StoreError> {
    let verdicts = store.commit(&[sign(copy(lease))])?;
    assert_eq!(verdicts, [CommitVerdict::Committed]);
    Ok(())
}

/// Why a database is older or another.
pub fn behind<T: Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Behind(why)) => why,
        other => panic!("it is not said to be older: {other:?}"),
    }
}

/// Opens a database with anchors, which say that it is older or another.
pub fn refusal(url: &DatabaseUrl, anchors: &[PathBuf]) -> String {
    behind(open_with(url, anchors).map(drop))
}

/// What would be different if something were formed, leased or signed.
fn state(store: &dyn Store) -> String {
    let status = store.status().unwrap();
    format!("{:?} {:?} {:?}", store.counts().unwrap(), status.batches, store.ledger().unwrap().head)
}

/// Time goes by for a database in a file, so that no node counts as alive.
pub fn end_leases(path: &Path) {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let end = "PRAGMA busy_timeout = 60000; UPDATE node SET lease_until = '2000-01-01T00:00:00.000Z'";
    connection.batch_execute(end).unwrap();
}
