//! Sums over many rows.

use diesel::{
    Queryable,
    sql_types::{BigInt, Nullable, Text},
};

use super::{batches::batch_state, checks::corrupt};
use crate::{
    domain::{BatchState, KeyState, NodeId, Reach},
    store::{Counts, NodeRow, Status, StoreError},
};

/// The columns of [`RawSum`].
pub(in crate::store) type SumColumns = (Text, BigInt, BigInt, BigInt);

/// The sums over the batches in one state.
#[derive(Queryable)]
pub(in crate::store) struct RawSum {
    state: String,
    rows: i64,
    /// The records of the batches, as far as they exist.
    total: i64,
    /// Signatures that keys have made for them, and that are lost.
    lost: i64,
}

/// The columns of [`RawKeySum`].
pub(in crate::store) type KeySumColumns = (Text, Text, Nullable<Text>, BigInt, BigInt);

/// The keys of one custodian in one state that may sign, or that may not for the same reason.
#[derive(Queryable)]
pub(in crate::store) struct RawKeySum {
    state: String,
    custody: String,
    barred: Option<String>,
    keys: i64,
    signatures: i64,
}

/// The columns of [`RawNode`].
pub(in crate::store) type NodeColumns = (BigInt, Text, Text, Text, BigInt, Text);

/// A node.
#[derive(Queryable)]
pub(in crate::store) struct RawNode {
    id: i64,
    name: String,
    started_at: String,
    lease_until: String,
    batches: i64,
    custodians: String,
}

impl From<RawNode> for NodeRow {
    fn from(RawNode { id, name, started_at, lease_until, batches, custodians }: RawNode) -> Self {
        let (batches, reach) = (batches as u64, Reach::from(custodians.as_str()));
        Self { id: NodeId(id), name, started_at, lease_until, batches, reach }
    }
}

/// Builds the status from the nodes, the records in no batch, the keys with their signatures, the unsigned
/// batches with their records, and the highest id of a batch. The number of signed records is the sum of the
/// keys' signatures, without those that are lost. The highest id is the number of batches, because they are numbered without gaps.
pub(in crate::store) fn status(
    nodes: Vec<RawNode>,
    unbatched: u64,
    keys: Vec<RawKeySum>,
    unsigned: Vec<RawSum>,
    highest: i64,
) -> Result<Status, StoreError> {
    let nodes = nodes.into_iter().map(NodeRow::from).collect();
    let mut status = Status { nodes, unbatched, ..Status::default() };
    for RawKeySum { state, custody, barred, keys, signatures } in keys {
        let state: KeyState = state.parse().map_err(|error| corrupt("key in state", keys, &error))?;
        *status.keys.counter(state) += keys as u64;
        if let Some(reason) = barred {
            let reason = reason.parse().map_err(|error| corrupt("key in state", keys, &error))?;
            *status.barred.counter(reason) += keys as u64;
        } else if state == KeyState::Active {
            status.usable.insert(custody, keys as u64);
        }
        status.signed += signatures as u64;
    }
    for RawSum { state, rows, total, lost } in unsigned {
        let state = batch_state(&state)?;
        *status.batches.counter(state) = rows as u64;
        match state {
            BatchState::Open => status.open = total as u64,
            BatchState::Lost => status.lost = total as u64,
            _ => status.leased = total as u64,
        }
        status.signed = status.signed.saturating_sub(lost as u64);
    }
    let unsigned = status.batches.open + status.batches.leased + status.batches.lost;
    status.batches.signed = (highest as u64).saturating_sub(unsigned);
    Ok(status)
}

/// The columns of [`RawCounts`].
pub(in crate::store) type CountColumns = (BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt);

/// Rows that were counted one by one.
#[derive(Default, Queryable)]
pub(in crate::store) struct RawCounts {
    records: i64,
    signatures: i64,
    batches: i64,
    unbatched: i64,
    in_batches: i64,
    in_signed: i64,
    in_lost: i64,
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
            in_lost: raw.in_lost as u64,
        }
    }
}
