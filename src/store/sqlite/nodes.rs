//! Nodes: registering, renewing, removing, and reclaiming what the dead held. All times are compared
//! by the database's own clock.

use std::{fs::File, time::Duration};

use diesel::{
    SqliteConnection,
    sql_types::{BigInt, Bool, Text},
};

use super::{SqliteStore, errors::Failure, leases::release_all_of};
use crate::{
    domain::{NodeId, Reach},
    store::{
        Nodes, Reclaimed, RenewVerdict, StoreError,
        sql::{Sql, Value, execute, expect_rows, row, rows},
    },
};

impl Nodes for SqliteStore {
    fn register_node(&self, name: &str, ttl: Duration, reach: &Reach) -> Result<NodeId, StoreError> {
        let (mut held, custodians) = (None, reach.to_string());
        // What if we die here? Before the COMMIT there is no such node, at most a file that nobody looks for.
        // After it the lock died with us: any process may reclaim the node at once.
        let result = self.write(|connection| {
            let values = [
                Value::Text(name),
                Value::Text(&after(ttl)),
                Value::Integer(millis(ttl)),
                Value::Text(&custodians),
            ];
            let Some(id) = row::<InsertNode, i64, _>(connection, &values)? else {
                return Err(Failure(StoreError::RowCount {
                    what: "registering a node",
                    expected: 1,
                    found: 0,
                }));
            };
            // Before the COMMIT, so that no other process sees the node without its lock.
            self.locks.hold(NodeId(id));
            held = Some(NodeId(id));
            Ok(NodeId(id))
        });
        if let (Err(_), Some(node)) = (&result, held) {
            // If the node was registered after all, it is reclaimed at once.
            self.locks.let_go(node);
        }
        result
    }

    fn renew_node(&self, node: NodeId, ttl: Duration, reach: &Reach) -> Result<RenewVerdict, StoreError> {
        self.compare()?;
        // What if we die here? The lease runs for a little longer, or not; the lock file says at once
        // that we are gone.
        self.write(|connection| {
            let (until, custodians) = (after(ttl), reach.to_string());
            let values = [
                Value::Text(&until),
                Value::Integer(millis(ttl)),
                Value::Text(&custodians),
                Value::Integer(node.0),
            ];
            Ok(match execute::<RenewNode, _>(connection, &values)? {
                0 => RenewVerdict::Gone,
                _ => RenewVerdict::Renewed,
            })
        })
    }

    fn remove_node(&self, node: NodeId) -> Result<u64, StoreError> {
        if let Some(anchors) = &self.anchors {
            anchors.sync();
        }
        // What if we die here? The node is reclaimed, which does the same.
        let released = self.write(|connection| {
            let released = release_all_of(connection, node)?;
            execute::<DeleteNode, _>(connection, &[Value::Integer(node.0)])?;
            Ok(released)
        })?;
        self.locks.forget(node);
        Ok(released)
    }

    fn reclaim(&self, me: Option<NodeId>, grace: Duration) -> Result<Vec<Reclaimed>, StoreError> {
        count_from_now(self, me)?;
        let grace = before(grace);
        let suspects: Vec<Suspect> = self
            .query(|connection| suspects(connection, &grace))?
            .into_iter()
            .filter(|(node, ..)| Some(*node) != me)
            .filter_map(|(node, name, expired)| {
                let proof = self.locks.take_from_dead(node);
                (expired || proof.is_some()).then_some(Suspect { node, name, proof })
            })
            .collect();
        if suspects.is_empty() {
            return Ok(Vec::new());
        }
        // What if we die here? Before the COMMIT the dead node is still there, and the next reclaim finds it.
        // After the COMMIT its batches are open, and only its file is left behind, which is harmless.
        let reclaimed = self.write(|connection| {
            let mut reclaimed = Vec::new();
            for suspect in &suspects {
                reclaimed.extend(reclaim_one(connection, suspect, &grace)?);
            }
            Ok(reclaimed)
        })?;
        for dead in &reclaimed {
            self.locks.forget(dead.node);
        }
        Ok(reclaimed)
    }
}

/// A lease that ends later than any renewal could have set it dates from before the clock was set back. It is
/// counted from now, so that the wait for a dead node is no longer than a living node may be silent.
fn count_from_now(store: &SqliteStore, me: Option<NodeId>) -> Result<(), StoreError> {
    let me = [Value::Integer(me.map_or(0, |node| node.0))]; // nobody has the id 0
    if store.query(|connection| Ok(row::<IsTooLong, i64, _>(connection, &me)?))?.is_some() {
        // What if we die here? The next node that looks does it.
        let leases = store.write(|connection| Ok(execute::<CountFromNow, _>(connection, &me)?))?;
        log::warn!("the clock was set back: {leases} leases of other nodes are counted from now");
    }
    Ok(())
}

/// A node that looked dead.
struct Suspect {
    node: NodeId,
    name: String,
    /// The lock of its process, held here so that it stays dead.
    proof: Option<File>,
}

/// Looks again, under the write lock: the node may have renewed its lease, or another process may have
/// reclaimed the node already.
fn reclaim_one(
    connection: &mut SqliteConnection,
    suspect: &Suspect,
    grace: &str,
) -> Result<Option<Reclaimed>, Failure> {
    let values = [Value::Text(grace), Value::Integer(suspect.node.0)];
    let expired: Option<bool> = row::<IsExpired, _, _>(connection, &values)?;
    if expired.is_none() || (expired == Some(false) && suspect.proof.is_none()) {
        return Ok(None);
    }
    let batches = release_all_of(connection, suspect.node)?;
    let deleted = execute::<DeleteNode, _>(connection, &[Value::Integer(suspect.node.0)])?;
    expect_rows("removing a dead node", 1, deleted)?;
    Ok(Some(Reclaimed { node: suspect.node, name: suspect.name.clone(), batches }))
}

fn suspects(connection: &mut SqliteConnection, grace: &str) -> Result<Vec<(NodeId, String, bool)>, Failure> {
    let nodes: Vec<(i64, String, bool)> = rows::<AllNodes, _, _>(connection, &[Value::Text(grace)])?;
    Ok(nodes.into_iter().map(|(id, name, expired)| (NodeId(id), name, expired)).collect())
}

/// Deletes no row, which still needs the right to write.
pub(super) fn delete_none(connection: &mut SqliteConnection) -> Result<(), Failure> {
    execute::<DeleteNode, _>(connection, &[Value::Integer(0)])?;
    Ok(())
}

/// Caps a time at ten years, which is as good as forever and cannot overflow.
fn millis(time: Duration) -> i64 {
    const TEN_YEARS: Duration = Duration::from_secs(10 * 366 * 86_400);
    time.min(TEN_YEARS).as_millis() as i64
}

/// A modifier of SQLite's date functions.
pub(super) fn after(time: Duration) -> String {
    format!("+{:.3} seconds", millis(time) as f64 / 1000.0)
}

pub(super) fn before(time: Duration) -> String {
    after(time).replace('+', "-")
}

struct InsertNode;
impl Sql for InsertNode {
    const TEXT: &'static str = "INSERT INTO node (name, lease_until, lease_ttl, custodians) \
         VALUES (?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?), ?, ?) RETURNING id";
    type Columns = BigInt;
}

struct RenewNode;
impl Sql for RenewNode {
    const TEXT: &'static str = "UPDATE node SET lease_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?), lease_ttl = ?, \
         custodians = ? WHERE id = ?";
    type Columns = ();
}

/// Removes a node.
pub(super) struct DeleteNode;
impl Sql for DeleteNode {
    const TEXT: &'static str = "DELETE FROM node WHERE id = ?";
    type Columns = ();
}

struct IsTooLong;
impl Sql for IsTooLong {
    const TEXT: &'static str = "SELECT id FROM node WHERE id <> ? \
         AND lease_until > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', (lease_ttl / 1000.0) || ' seconds') LIMIT 1";
    type Columns = BigInt;
}

struct CountFromNow;
impl Sql for CountFromNow {
    const TEXT: &'static str = "UPDATE node \
         SET lease_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', (lease_ttl / 1000.0) || ' seconds') WHERE id <> ? \
         AND lease_until > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', (lease_ttl / 1000.0) || ' seconds')";
    type Columns = ();
}

struct AllNodes;
impl Sql for AllNodes {
    const TEXT: &'static str = "SELECT id, name, lease_until < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?) \
         FROM node ORDER BY id";
    type Columns = (BigInt, Text, Bool);
}

struct IsExpired;
impl Sql for IsExpired {
    const TEXT: &'static str =
        "SELECT lease_until < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?) FROM node WHERE id = ?";
    type Columns = Bool;
}
