//! Nodes: the processes that sign.

use std::time::Duration;

use crate::{
    domain::{NodeId, Reach},
    store::StoreError,
};

/// The nodes, each with a lease of its row that it must renew.
pub trait Nodes {
    /// Adds a node that can use the keys within `reach`. Its lease runs for `ttl` from now.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when nothing may be signed in this database.
    fn register_node(&self, name: &str, ttl: Duration, reach: &Reach) -> Result<NodeId, StoreError>;

    /// Extends a node's lease to `ttl` from now, and notes that it can use the keys within `reach`.
    fn renew_node(&self, node: NodeId, ttl: Duration, reach: &Reach) -> Result<RenewVerdict, StoreError>;

    /// Gives back all batches that the node still holds (returning how many), and removes it. Anchors have by then what they
    /// have to say of its commits.
    fn remove_node(&self, node: NodeId) -> Result<u64, StoreError>;

    /// Finds the nodes that are dead (their process is known to be gone, or their lease ran out `grace` ago),
    /// gives their batches back to `open` with epoch + 1, and removes them. `me` is never among them. A lease
    /// that ends later than any renewal could have set it dates from before the clock was set back: it is
    /// counted from now.
    fn reclaim(&self, me: Option<NodeId>, grace: Duration) -> Result<Vec<Reclaimed>, StoreError>;
}

/// Whether a node's lease could be extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewVerdict {
    /// It stands for another time to live.
    Renewed,
    /// The node was reclaimed: its leases are gone, it must register again.
    Gone,
}

/// A dead node, and what it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reclaimed {
    /// The node, now removed.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// How many batches went back to `open`.
    pub batches: u64,
}
