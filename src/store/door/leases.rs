//! Leases: taking them, giving them back, and asking which a node holds.

use crate::{
    domain::{BatchId, Epoch, Lease, NodeId, Reach, Scheme},
    store::StoreError,
};

/// The edges `open → leased` and back.
pub trait Leasing {
    /// Pairs up to `limit` open batches, oldest first, with as many least recently used idle active
    /// keys within `reach`, for `node`. Raises each epoch by one. Fewer, or none, when batches or keys run out.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when `node` is not registered (any more).
    fn lease(
        &self,
        node: NodeId,
        scheme: Scheme,
        limit: usize,
        reach: &Reach,
    ) -> Result<Vec<Lease>, StoreError>;

    /// Gives leases back: to `open`, epoch + 1. Returns how many still stood; the others were lost
    /// already, which is no error.
    fn release(&self, leases: &[(BatchId, Epoch)]) -> Result<u64, StoreError>;

    /// What the database says of a node, all at one moment: see [`Inventory`]. `stored` names batches
    /// that were stored, each with the epoch at which that happened.
    fn inventory(&self, node: NodeId, stored: &[(BatchId, Epoch)]) -> Result<Inventory, StoreError>;
}

/// What the database says of a node. The node should know it already: only a database that went back in time
/// (restored, or failed over to a standby that lagged) says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The leases that the node holds, in id order.
    pub held: Vec<(BatchId, Epoch)>,
    /// Batches that had been stored, and are not signed at that epoch any more, in the order given.
    pub lost: Vec<(BatchId, Epoch)>,
}
