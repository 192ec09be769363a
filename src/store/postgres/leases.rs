//! Leasing: the edges `open → leased` and back.

use diesel::{
    PgConnection,
    sql_types::{BigInt, Bool},
};

use super::{PostgresStore, array::array, barred::barred, errors::Failure, transaction::Turn};
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

impl Leasing for PostgresStore {
    fn lease(
        &self,
        node: NodeId,
        scheme: Scheme,
        limit: usize,
        reach: &Reach,
    ) -> Result<Vec<Lease>, StoreError> {
        // This takes no turn when there is nothing to lease.
        let standing: Option<(bool, bool)> =
            self.query(|connection| Ok(row::<MayLease, _, _>(connection, &[Value::Integer(node.0)])?))?;
        match standing {
            Some((false, _)) | None => return Err(not_registered(node)),
            Some((true, has_open)) if !has_open || limit == 0 => return Ok(Vec::new()),
            Some(_) => {}
        }
        // What if we die here? Before the COMMIT nothing is leased. After it these batches are ours, and
        // go back to `open` when the node is reclaimed: nothing is signed for them yet.
        self.write_in_turn(Turn::Lease, |connection| {
            // A reclaim of this node waits for us, and then finds our leases.
            if row::<HoldNode, i64, _>(connection, &[Value::Integer(node.0)])?.is_none() {
                return Err(not_registered(node).into());
            }
            lease_batches(connection, node, scheme, limit, reach)
        })
    }

    fn release(&self, leases: &[(BatchId, Epoch)]) -> Result<u64, StoreError> {
        if leases.is_empty() {
            return Ok(0);
        }
        let ids = array(leases.iter().map(|(batch, _)| batch.0));
        let epochs = array(leases.iter().map(|(_, epoch)| epoch.0));
        // What if we die here? The leases stand until the node is reclaimed, which does the same.
        self.write(|connection| {
            Ok(execute::<ReleaseBatches, _>(connection, &[Value::Text(&ids), Value::Text(&epochs)])? as u64)
        })
    }

    /// One statement, so that everything is read at one moment.
    fn inventory(&self, node: NodeId, stored: &[(BatchId, Epoch)]) -> Result<Inventory, StoreError> {
        let ids = array(stored.iter().map(|(batch, _)| batch.0));
        let epochs = array(stored.iter().map(|(_, epoch)| epoch.0));
        self.query(|connection| {
            let values = [Value::Integer(node.0), Value::Text(&ids), Value::Text(&epochs)];
            let found: Vec<(i64, i64, bool)> = rows::<TakeInventory, _, _>(connection, &values)?;
            let mut inventory = Inventory::default();
            for (batch, epoch, is_held) in found {
                let list = if is_held { &mut inventory.held } else { &mut inventory.lost };
                list.push((BatchId(batch), Epoch(epoch)));
            }
            Ok(inventory)
        })
    }
}

fn not_registered(node: NodeId) -> StoreError {
    StoreError::Refused(format!("node {node} is not registered (any more)"))
}

fn lease_batches(
    connection: &mut PgConnection,
    node: NodeId,
    scheme: Scheme,
    limit: usize,
    reach: &Reach,
) -> Result<Vec<Lease>, Failure> {
    let custodians = json_array(reach.names());
    let values = [Value::Text(&custodians), Value::Integer(keys_limit(limit))];
    let keys: Vec<(RawIdle, i64)> = rows::<LeastRecentlyUsed, _, _>(connection, &values)?;
    let Some(((.., now), last_leased)) = keys.first() else { return Ok(Vec::new()) };
    let mut terms = Terms { node, scheme, now: now.clone(), last_leased: *last_leased };
    let idle = idle_keys(keys.into_iter().map(|((id, left, _), _)| (id, left)));
    lease_in_rounds::<OldestOpen, _, _>(connection, idle, limit, |connection, pairs| {
        lease_pairs(connection, pairs, &mut terms)
    })
}

fn lease_pairs(
    connection: &mut PgConnection,
    pairs: Vec<(RawOpen, KeyId)>,
    terms: &mut Terms,
) -> Result<Vec<Lease>, Failure> {
    let places = terms.last_leased + 1..;
    terms.last_leased += pairs.len() as i64;
    let arrays = [
        array(pairs.iter().map(|(open, _)| open.id)),
        array(pairs.iter().map(|(open, _)| open.epoch)),
        array(pairs.iter().map(|(_, key)| key.0)),
        array(pairs.iter().zip(places).map(|(_, place)| place)),
    ];
    let [ids, epochs, key_ids, places] = arrays.each_ref().map(|array| Value::Text(array));
    let (node, scheme, now) =
        (Value::Integer(terms.node.0), Value::Text(terms.scheme.name()), Value::Text(&terms.now));
    let values = [node, scheme, now, ids, epochs, key_ids, key_ids, places];
    let (leased, used) = row::<LeaseBatches, (i64, i64), _>(connection, &values)?.unwrap_or_default();
    expect_rows("leasing batches", pairs.len(), leased as usize)?;
    expect_rows("noting the use of keys", pairs.len(), used as usize)?;
    let leases = pairs.into_iter().map(|(open, key)| {
        let open = OpenBatch::try_from(open)?;
        Ok(open.lease(key, terms.node, terms.scheme))
    });
    leases.collect()
}

/// Gives back everything that a node holds.
pub(super) fn release_all_of(connection: &mut PgConnection, node: NodeId) -> Result<u64, Failure> {
    Ok(execute::<ReleaseAllOf, _>(connection, &[Value::Integer(node.0)])? as u64)
}

pub(super) struct MayLease;
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

/// The same order as [`crate::domain::IdleKeys`]; each row has the highest place in that order so far. A key with a
/// limit may be too small for every batch, so these keys do not count: so many others are read as were asked for.
pub(super) struct LeastRecentlyUsed;
impl Sql for LeastRecentlyUsed {
    const TEXT: &'static str = concat!(
        "SELECT id, max_signatures - signature_count, statement_timestamp()::text, \
         (SELECT max(last_leased) FROM signing_key) FROM signing_key WHERE state = 'active' \
         AND custody IN (SELECT jsonb_array_elements_text(?::text::jsonb)) AND ",
        barred!(),
        " IS NULL \
         AND NOT EXISTS (SELECT FROM batch WHERE batch.key_id = signing_key.id AND batch.state = 'leased') \
         ORDER BY last_leased, id \
         LIMIT ? + (SELECT count(*) FROM signing_key WHERE max_signatures IS NOT NULL)"
    );
    type Columns = (IdleColumns, BigInt);
}

struct OldestOpen;
impl Sql for OldestOpen {
    const TEXT: &'static str = "SELECT id, epoch, record_count, runs FROM batch \
         WHERE state = 'open' AND record_count <= ? ORDER BY id LIMIT ?";
    type Columns = OpenColumns;
}

struct LeaseBatches;
impl Sql for LeaseBatches {
    const TEXT: &'static str = "WITH leased AS (UPDATE batch SET state = 'leased', epoch = batch.epoch + 1, \
             key_id = pair.key_id, node_id = ?, scheme = ?, leased_at = ?::text::timestamptz \
             FROM unnest(?::text::bigint[], ?::text::bigint[], ?::text::bigint[]) AS pair (id, epoch, key_id) \
             WHERE batch.id = pair.id AND batch.state = 'open' AND batch.epoch = pair.epoch RETURNING batch.id), \
         used AS (UPDATE signing_key SET last_leased = chosen.place \
             FROM unnest(?::text::bigint[], ?::text::bigint[]) AS chosen (id, place) \
             WHERE signing_key.id = chosen.id RETURNING signing_key.id) \
         SELECT (SELECT count(*) FROM leased), (SELECT count(*) FROM used)";
    type Columns = (BigInt, BigInt);
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

struct TakeInventory;
impl Sql for TakeInventory {
    const TEXT: &'static str = "SELECT id, epoch, is_held FROM (\
             SELECT id, epoch, true, id FROM batch WHERE node_id = ? AND state = 'leased' UNION ALL \
             SELECT stored.id, stored.epoch, false, stored.place \
             FROM unnest(?::text::bigint[], ?::text::bigint[]) WITH ORDINALITY AS stored (id, epoch, place) \
             WHERE NOT EXISTS (SELECT FROM batch \
                 WHERE batch.id = stored.id AND batch.epoch = stored.epoch AND batch.state = 'signed')\
         ) AS found (id, epoch, is_held, place) ORDER BY place";
    type Columns = (BigInt, BigInt, Bool);
}
