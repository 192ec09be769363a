//! Leasing: the edges `open → leased` and back.

use diesel::{
    PgConnection,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use super::{PostgresStore, batches::array, errors::Failure, transaction::Turn};
use crate::{
    domain::{BatchId, Epoch, KeyId, Lease, NodeId, Scheme},
    store::{
        StoreError,
        sql::{Sql, Value, execute, expect_rows, parse_runs, row, rows, sql_limit},
    },
};

/// See [`crate::store::Store::lease`].
pub(super) fn lease(
    store: &PostgresStore,
    node: NodeId,
    scheme: Scheme,
    limit: usize,
) -> Result<Vec<Lease>, StoreError> {
    // Without taking a turn when there is nothing to lease.
    let standing: Option<(bool, bool)> =
        store.query(|connection| Ok(row::<MayLease, _, _>(connection, &[Value::Integer(node.0)])?))?;
    match standing {
        Some((false, _)) | None => return Err(not_registered(node)),
        Some((true, has_open)) if !has_open || limit == 0 => return Ok(Vec::new()),
        Some(_) => {}
    }
    // What if we die here? Before the COMMIT nothing is leased. After it these batches are ours, and
    // go back to `open` when the node is reclaimed: nothing is signed for them yet.
    store.write_in_turn(Turn::Lease, |connection| {
        // Whoever wants to reclaim this node waits for us, and finds our leases then.
        if row::<HoldNode, i64, _>(connection, &[Value::Integer(node.0)])?.is_none() {
            return Err(not_registered(node).into());
        }
        lease_batches(connection, node, scheme, limit)
    })
}

fn not_registered(node: NodeId) -> StoreError {
    StoreError::Refused(format!("node {node} is not registered (any more)"))
}

type Leased = (i64, i64, i64, String);

fn lease_batches(
    connection: &mut PgConnection,
    node: NodeId,
    scheme: Scheme,
    limit: usize,
) -> Result<Vec<Lease>, Failure> {
    let limit = Value::Integer(sql_limit(limit));
    let values = [limit, limit, Value::Integer(node.0), Value::Text(scheme.name())];
    let leased: Vec<(Option<i64>, Leased)> = rows::<LeaseBatches, _, _>(connection, &values)?;
    let mut leases = Vec::with_capacity(leased.len());
    for (place, (id, key, epoch, runs)) in leased {
        expect_rows("noting the use of a key", 1, usize::from(place.is_some()))?;
        let batch = BatchId(id);
        let records = parse_runs(batch, &runs)?;
        leases.push(Lease { batch, key: KeyId(key), node, epoch: Epoch(epoch), scheme, records });
    }
    Ok(leases)
}

/// See [`crate::store::Store::release`].
pub(super) fn release(store: &PostgresStore, leases: &[(BatchId, Epoch)]) -> Result<u64, StoreError> {
    if leases.is_empty() {
        return Ok(0);
    }
    let ids = array(leases.iter().map(|(batch, _)| batch.0));
    let epochs = array(leases.iter().map(|(_, epoch)| epoch.0));
    // What if we die here? The leases stand until the node is reclaimed, which does the same.
    store.write(|connection| {
        Ok(execute::<ReleaseBatches, _>(connection, &[Value::Text(&ids), Value::Text(&epochs)])? as u64)
    })
}

/// Gives back everything that a node holds.
pub(super) fn release_all_of(connection: &mut PgConnection, node: NodeId) -> Result<u64, Failure> {
    Ok(execute::<ReleaseAllOf, _>(connection, &[Value::Integer(node.0)])? as u64)
}

struct MayLease;
impl Sql for MayLease {
    const TEXT: &'static str =
        "SELECT EXISTS (SELECT FROM node WHERE id = ?), EXISTS (SELECT FROM batch WHERE state = 'open')";
    type Columns = (Bool, Bool);
}

struct HoldNode;
impl Sql for HoldNode {
    const TEXT: &'static str = "SELECT id FROM node WHERE id = ? FOR KEY SHARE";
    type Columns = BigInt;
}

/// Pairs in the same order as [`crate::domain::least_recently_used`].
struct LeaseBatches;
impl Sql for LeaseBatches {
    const TEXT: &'static str = "WITH idle AS MATERIALIZED (\
             SELECT id, row_number() OVER (ORDER BY last_leased, id) AS place FROM signing_key WHERE state = 'active' \
             AND NOT EXISTS (SELECT FROM batch WHERE batch.key_id = signing_key.id AND batch.state = 'leased') \
             ORDER BY last_leased, id LIMIT ?), \
         oldest AS MATERIALIZED (SELECT id, epoch, row_number() OVER (ORDER BY id) AS place \
             FROM batch WHERE state = 'open' ORDER BY id LIMIT ?), \
         leased AS (UPDATE batch SET state = 'leased', epoch = batch.epoch + 1, key_id = idle.id, node_id = ?, \
             scheme = ?, leased_at = clock_timestamp() FROM oldest JOIN idle USING (place) \
             WHERE batch.id = oldest.id AND batch.state = 'open' AND batch.epoch = oldest.epoch \
             RETURNING batch.id, batch.key_id, batch.epoch, batch.runs, place), \
         used AS (UPDATE signing_key \
             SET last_leased = (SELECT max(last_leased) FROM signing_key) + leased.place \
             FROM leased WHERE signing_key.id = leased.key_id RETURNING leased.place) \
         SELECT used.place, leased.id, leased.key_id, leased.epoch, leased.runs \
         FROM leased LEFT JOIN used USING (place) ORDER BY leased.place";
    type Columns = (Nullable<BigInt>, (BigInt, BigInt, BigInt, Text));
}

struct ReleaseBatches;
impl Sql for ReleaseBatches {
    const TEXT: &'static str = "UPDATE batch SET state = 'open', epoch = batch.epoch + 1, key_id = NULL, \
         node_id = NULL, scheme = NULL, leased_at = NULL \
         FROM unnest(?::text::bigint[], ?::text::bigint[]) AS given (id, epoch) \
         WHERE batch.id = given.id AND batch.epoch = given.epoch AND batch.state = 'leased'";
    type Columns = ();
}

struct ReleaseAllOf;
impl Sql for ReleaseAllOf {
    const TEXT: &'static str = "UPDATE batch SET state = 'open', epoch = epoch + 1, key_id = NULL, node_id = NULL, \
         scheme = NULL, leased_at = NULL WHERE node_id = ? AND state = 'leased'";
    type Columns = ();
}
