//! Leasing: the edges `open → leased` and back.

use diesel::{
    SqliteConnection,
    sql_types::{BigInt, Bool},
};

use super::{SqliteStore, barred::barred, errors::Failure};
use crate::{
    domain::{BatchId, Epoch, KeyId, Lease, NodeId, OpenBatch, Reach, Scheme},
    store::{
        Inventory, Leasing, StoreError,
        sql::{
            IdleColumns, OpenColumns, RawIdle, RawOpen, Sql, Terms, Value, execute, expect_rows, idle_keys,
            json_array, keys_limit, lease_in_rounds, row, rows,
        },
    },
};

impl Leasing for SqliteStore {
    fn lease(
        &self,
        node: NodeId,
        scheme: Scheme,
        limit: usize,
        reach: &Reach,
    ) -> Result<Vec<Lease>, StoreError> {
        // Without the write lock when there is nothing to lease.
        if !self.query(|connection| may_lease(connection, node))? || limit == 0 {
            return Ok(Vec::new());
        }
        let custodians = json_array(reach.names());
        // What if we die here? Before the COMMIT nothing is leased. After it these batches are ours, and
        // go back to `open` when the node is reclaimed: nothing is signed for them yet.
        self.write_unsynced(|connection| {
            if !may_lease(connection, node)? {
                return Ok(Vec::new());
            }
            let values = [Value::Text(&custodians), Value::Integer(keys_limit(limit))];
            let keys: Vec<RawIdle> = rows::<LeastRecentlyUsed, _, _>(connection, &values)?;
            let Some((.., now)) = keys.first() else { return Ok(Vec::new()) };
            let last_leased = row::<LastLeased, i64, _>(connection, &[])?.unwrap_or_default();
            let mut terms = Terms { node, scheme, now: now.clone(), last_leased };
            let idle = idle_keys(keys.into_iter().map(|(id, left, _)| (id, left)));
            lease_in_rounds::<OldestOpen, _, _>(connection, idle, limit, |connection, pairs| {
                pairs.into_iter().map(|(batch, key)| lease_one(connection, batch, key, &mut terms)).collect()
            })
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
    batch: RawOpen,
    key: KeyId,
    terms: &mut Terms,
) -> Result<Lease, Failure> {
    let open = OpenBatch::try_from(batch)?;
    terms.last_leased += 1;
    let values = [
        Value::Integer(key.0),
        Value::Integer(terms.node.0),
        Value::Text(terms.scheme.name()),
        Value::Text(&terms.now),
        Value::Integer(open.id.0),
        Value::Integer(open.epoch.0),
    ];
    expect_rows("leasing a batch", 1, execute::<LeaseBatch, _>(connection, &values)?)?;
    let values = [Value::Integer(terms.last_leased), Value::Integer(key.0)];
    expect_rows("noting the use of a key", 1, execute::<UseKey, _>(connection, &values)?)?;
    Ok(open.lease(key, terms.node, terms.scheme))
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

/// The same order as [`crate::domain::IdleKeys`]. A key with a limit may be too small for every batch, so these keys do
/// not count: so many others are read as were asked for.
pub(super) struct LeastRecentlyUsed;
impl Sql for LeastRecentlyUsed {
    const TEXT: &'static str = concat!(
        "SELECT id, max_signatures - signature_count, strftime('%Y-%m-%dT%H:%M:%fZ', 'now') FROM signing_key \
         WHERE state = 'active' AND custody IN (SELECT value FROM json_each(?)) AND ",
        barred!(),
        " IS NULL \
         AND NOT EXISTS (SELECT 1 FROM batch WHERE batch.key_id = signing_key.id AND batch.state = 'leased') \
         ORDER BY last_leased, id \
         LIMIT ? + (SELECT count(*) FROM signing_key WHERE max_signatures IS NOT NULL)"
    );
    type Columns = IdleColumns;
}

struct OldestOpen;
impl Sql for OldestOpen {
    const TEXT: &'static str = "SELECT id, epoch, record_count, runs FROM batch \
         WHERE state = 'open' AND record_count <= ? ORDER BY id LIMIT +?";
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
         scheme = ?, leased_at = ? \
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
