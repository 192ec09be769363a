//! Sums over many rows.

use diesel::{
    Queryable,
    sql_types::{BigInt, Text},
};

use super::{batches::batch_state, checks::corrupt};
use crate::{
    domain::{BatchState, KeyState, NodeId},
    store::{Counts, NodeRow, Status, StoreError},
};

/// The columns of [`RawSum`].
pub(in crate::store) type SumColumns = (Text, BigInt, BigInt);

/// The sums over the rows in one state.
#[derive(Queryable)]
pub(in crate::store) struct RawSum {
    state: String,
    rows: i64,
    /// What the rows add up to: the signatures of keys, or the records of batches.
    total: i64,
}

/// The columns of [`RawNode`].
pub(in crate::store) type NodeColumns = (BigInt, Text, Text, Text, BigInt);

/// A node.
#[derive(Queryable)]
pub(in crate::store) struct RawNode {
    id: i64,
    name: String,
    started_at: String,
    lease_until: String,
    batches: i64,
}

impl From<RawNode> for NodeRow {
    fn from(RawNode { id, name, started_at, lease_until, batches }: RawNode) -> Self {
        Self { id: NodeId(id), name, started_at, lease_until, batches: batches as u64 }
    }
}

/// Builds the status from the nodes, the records in no batch, the keys with their signatures, the unsigned
/// batches with their records, and the highest id of a batch. The number of signed records is the sum of the
/// keys' signatures. The highest id is the number of batches, because they are numbered without gaps.
pub(in crate::store) fn status(
    nodes: Vec<RawNode>,
    unbatched: u64,
    keys: Vec<RawSum>,
    unsigned: Vec<RawSum>,
    highest: i64,
) -> Result<Status, StoreError> {
    let nodes = nodes.into_iter().map(NodeRow::from).collect();
    let mut status = Status { nodes, unbatched, ..Status::default() };
    for RawSum { state, rows, total } in keys {
        let state: KeyState = state.parse().map_err(|error| corrupt("key in state", rows, &error))?;
        *status.keys.counter(state) = rows as u64;
        status.signed += total as u64;
    }
    for RawSum { state, rows, total } in unsigned {
        let state = batch_state(&state)?;
        *status.batches.counter(state) = rows as u64;
        match state {
            BatchState::Open => status.open = total as u64,
            _ => status.leased = total as u64,
        }
    }
    let unsigned = status.batches.open + status.batches.leased;
    status.batches.signed = (highest as u64).saturating_sub(unsigned);
    Ok(status)
}

/// The columns of [`RawCounts`].
pub(in crate::store) type CountColumns = (BigInt, BigInt, BigInt, BigInt, BigInt, BigInt);

/// Rows that were counted one by one.
#[derive(Default, Queryable)]
pub(in crate::store) struct RawCounts {
    records: i64,
    signatures: i64,
    batches: i64,
    unbatched: i64,
    in_batches: i64,
    in_signed: i64,
}

impl From<RawCounts> for Counts {
    fn from(raw: RawCounts) -> Self {
        Self {
            records: raw.records as u64,
            signatures: raw.signatures as u64,
            batches: raw.batches as u64,
            unbatched: raw.unbatched as u64,
            in_batches: raw.in_batches as u64,
            in_signed: raw.in_signed as u64,
        }
    }
}
