//! Leasing: the edges `open → leased` and back.

use diesel::{
    SqliteConnection,
    sql_types::{BigInt, Bool},
};

use super::{SqliteStore, errors::Failure};
use crate::{
    domain::{BatchId, Epoch, KeyId, Lease, NodeId, OpenBatch, Scheme},
    store::{
        Inventory, Leasing, StoreError,
        sql::{OpenColumns, RawOpen, Sql, Value, execute, expect_rows, row, rows, sql_limit},
    },
};

impl Leasing for SqliteStore {
    fn lease(&self, node: NodeId, scheme: Scheme, limit: usize) -> Result<Vec<Lease>, StoreError> {
        // Without the write lock when there is nothing to lease.
        if !self.query(|connection| may_lease(connection, node))? || limit == 0 {
            return Ok(Vec::new());
        }
        // What if we die here? Before the COMMIT nothing is leased. After it these batches are ours, and
        // go back to `open` when the node is reclaimed: nothing is signed for them yet.
        self.write_unsynced(|connection| {
            if !may_lease(connection, node)? {
                return Ok(Vec::new());
            }
            let keys: Vec<i64> =
                rows::<LeastRecentlyUsed, _, _>(connection, &[Value::Integer(sql_limit(limit))])?;
            let batches: Vec<RawOpen> =
                rows::<OldestOpen, _, _>(connection, &[Value::Integer(sql_limit(keys.len()))])?;
            let mut last_leased = row::<LastLeased, i64, _>(connection, &[])?.unwrap_or_default();
            let pairs = batches.into_iter().zip(keys);
            pairs
                .map(|(batch, key)| {
                    last_leased += 1;
                    lease_one(connection, batch.try_into()?, KeyId(key), node, scheme, last_leased)
                })
                .collect()
        })
    }

    fn release(&self, leases: &[(BatchId, Epoch)]) -> Result<u64, StoreError> {
        if leases.is_empty() {
            return Ok(0);
        }
        // What if we die here? The leases stand until the node is reclaimed, which does the same.
        self.write_unsynced(|connection| {
            let mut released = 0;
            for (batch, epoch) in leases {
                released += execute::<ReleaseBatch, _>(
                    connection,
                    &[Value::Integer(batch.0), Value::Integer(epoch.0)],
                )? as u64;
            }
            Ok(released)
        })
    }

    fn inventory(&self, node: NodeId, stored: &[(BatchId, Epoch)]) -> Result<Inventory, StoreError> {
        self.read(|connection| {
            let held: Vec<(i64, i64)> = rows::<HeldBy, _, _>(connection, &[Value::Integer(node.0)])?;
            let held = held.into_iter().map(|(batch, epoch)| (BatchId(batch), Epoch(epoch))).collect();
            let mut lost = Vec::new();
            for (batch, epoch) in stored {
                let values = [Value::Integer(batch.0), Value::Integer(epoch.0)];
                if row::<IsSigned, bool, _>(connection, &values)? != Some(true) {
                    lost.push((*batch, *epoch));
                }
            }
            Ok(Inventory { held, lost })
        })
    }
}

fn lease_one(
    connection: &mut SqliteConnection,
    open: OpenBatch,
    key: KeyId,
    node: NodeId,
    scheme: Scheme,
    last_leased: i64,
) -> Result<Lease, Failure> {
    let values = [
        Value::Integer(key.0),
        Value::Integer(node.0),
        Value::Text(scheme.name()),
        Value::Integer(open.id.0),
        Value::Integer(open.epoch.0),
    ];
    expect_rows("leasing a batch", 1, execute::<LeaseBatch, _>(connection, &values)?)?;
    let values = [Value::Integer(last_leased), Value::Integer(key.0)];
    expect_rows("noting the use of a key", 1, execute::<UseKey, _>(connection, &values)?)?;
    Ok(open.lease(key, node, scheme))
}

/// Whether there is an open batch; refuses a node that is not registered.
fn may_lease(connection: &mut SqliteConnection, node: NodeId) -> Result<bool, Failure> {
    match row::<MayLease, (bool, bool), _>(connection, &[Value::Integer(node.0)])? {
        Some((true, has_open)) => Ok(has_open),
        _ => Err(Failure(StoreError::Refused(format!("node {node} is not registered (any more)")))),
    }
}

/// Gives back everything that a node holds.
pub(super) fn release_all_of(connection: &mut SqliteConnection, node: NodeId) -> Result<u64, Failure> {
    Ok(execute::<ReleaseAllOf, _>(connection, &[Value::Integer(node.0)])? as u64)
}

struct MayLease;
impl Sql for MayLease {
    const TEXT: &'static str =
        "SELECT EXISTS (SELECT 1 FROM node WHERE id = ?), EXISTS (SELECT 1 FROM batch WHERE state = 'open')";
    type Columns = (Bool, Bool);
}

/// The same order as [`crate::domain::least_recently_used`].
struct LeastRecentlyUsed;
impl Sql for LeastRecentlyUsed {
    const TEXT: &'static str = "SELECT id FROM signing_key WHERE state = 'active' \
         AND NOT EXISTS (SELECT 1 FROM batch WHERE batch.key_id = signing_key.id AND batch.state = 'leased') \
         ORDER BY last_leased, id LIMIT +?";
    type Columns = BigInt;
}

struct OldestOpen;
impl Sql for OldestOpen {
    const TEXT: &'static str = "SELECT id, epoch, runs FROM batch WHERE state = 'open' ORDER BY id LIMIT +?";
    type Columns = OpenColumns;
}

struct LastLeased;
impl Sql for LastLeased {
    const TEXT: &'static str = "SELECT coalesce(max(last_leased), 0) FROM signing_key";
    type Columns = BigInt;
}

struct LeaseBatch;
impl Sql for LeaseBatch {
    const TEXT: &'static str = "UPDATE batch SET state = 'leased', epoch = epoch + 1, key_id = ?, node_id = ?, \
         scheme = ?, leased_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
         WHERE id = ? AND state = 'open' AND epoch = ?";
    type Columns = ();
}

struct UseKey;
impl Sql for UseKey {
    const TEXT: &'static str = "UPDATE signing_key SET last_leased = ? WHERE id = ?";
    type Columns = ();
}

struct ReleaseBatch;
impl Sql for ReleaseBatch {
    const TEXT: &'static str = "UPDATE batch SET state = 'open', epoch = epoch + 1, key_id = NULL, node_id = NULL, \
         scheme = NULL, leased_at = NULL WHERE id = ? AND state = 'leased' AND epoch = ?";
    type Columns = ();
}

struct ReleaseAllOf;
impl Sql for ReleaseAllOf {
    const TEXT: &'static str = "UPDATE batch SET state = 'open', epoch = epoch + 1, key_id = NULL, node_id = NULL, \
         scheme = NULL, leased_at = NULL WHERE node_id = ? AND state = 'leased'";
    type Columns = ();
}

struct HeldBy;
impl Sql for HeldBy {
    const TEXT: &'static str =
        "SELECT id, epoch FROM batch WHERE node_id = ? AND state = 'leased' ORDER BY id";
    type Columns = (BigInt, BigInt);
}

struct IsSigned;
impl Sql for IsSigned {
    const TEXT: &'static str =
        "SELECT EXISTS (SELECT 1 FROM batch WHERE id = ? AND epoch = ? AND state = 'signed')";
    type Columns = Bool;
}
