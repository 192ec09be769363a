//! Nodes: registering, renewing, removing, and reclaiming what the dead held. All times are compared
//! on the server, by its clock at that moment (`now()` would be the start of the transaction).

use std::time::Duration;

use diesel::{
    PgConnection,
    sql_types::{BigInt, Text},
};

use super::{PostgresStore, audit::check_may_sign, errors::Failure, leases::release_all_of};
use crate::{
    domain::{NodeId, Reach},
    store::{
        Nodes, Reclaimed, RenewVerdict, StoreError,
        sql::{Sql, Value, execute, expect_rows, row, rows},
    },
};

impl Nodes for PostgresStore {
    fn register_node(&self, name: &str, ttl: Duration, reach: &Reach) -> Result<NodeId, StoreError> {
        // What if we die here? A node may be left behind, which holds nothing and is removed when its lease
        // runs out.
        self.write(|connection| {
            check_may_sign(connection)?;
            let (ttl, custodians) = (Value::Integer(millis(ttl)), reach.to_string());
            let values = [Value::Text(name), ttl, ttl, Value::Text(&custodians)];
            let id = row::<InsertNode, i64, _>(connection, &values)?;
            expect_rows("registering a node", 1, usize::from(id.is_some()))?;
            Ok(NodeId(id.unwrap_or_default()))
        })
    }

    fn renew_node(&self, node: NodeId, ttl: Duration, reach: &Reach) -> Result<RenewVerdict, StoreError> {
        self.compare()?;
        // What if we die here? The lease runs for a little longer, or not.
        self.write(|connection| {
            let (ttl, custodians) = (Value::Integer(millis(ttl)), reach.to_string());
            let values = [ttl, ttl, Value::Text(&custodians), Value::Integer(node.0)];
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
        self.write(|connection| {
            // Locked first, so that a concurrent lease ends before, or finds no node.
            row::<HoldNode, String, _>(connection, &[Value::Integer(node.0)])?;
            let released = release_all_of(connection, node)?;
            execute::<DeleteNode, _>(connection, &[Value::Integer(node.0)])?;
            Ok(released)
        })
    }

    fn reclaim(&self, me: Option<NodeId>, grace: Duration) -> Result<Vec<Reclaimed>, StoreError> {
        // Nobody has the id 0.
        let me = Value::Integer(me.map_or(0, |node| node.0));
        let values = [Value::Integer(millis(grace)), me];
        // This needs no transaction while all nodes are alive, which is nearly always.
        if self.query(|connection| Ok(row::<Dead, i64, _>(connection, &values)?))?.is_none() {
            return Ok(Vec::new());
        }
        count_from_now(self, me)?;
        // What if we die here? Before the COMMIT the dead node is still there, and the next reclaim finds it.
        // After the COMMIT its batches are open.
        self.write(|connection| {
            // Nodes that another process is reclaiming at this moment are left to it. A node that has renewed its
            // lease since is judged by its row as it is now.
            let dead: Vec<(i64, String)> = rows::<TakeDead, _, _>(connection, &values)?;
            dead.into_iter().map(|(id, name)| reclaim_one(connection, NodeId(id), name)).collect()
        })
    }
}

/// A lease that ends later than any renewal could have set it dates from before the clock was set back. It is
/// counted from now, so that the wait for a dead node is no longer than a living node may be silent.
fn count_from_now(store: &PostgresStore, me: Value<'_>) -> Result<(), StoreError> {
    // What if we die here? The next node that looks does it.
    let leases = store.write(|connection| {
        row::<EndFrozen, i64, _>(connection, &[])?;
        Ok(execute::<CountFromNow, _>(connection, &[me])?)
    })?;
    if leases > 0 {
        log::warn!("the server's clock was set back: {leases} leases of other nodes are counted from now");
    }
    Ok(())
}

fn reclaim_one(connection: &mut PgConnection, node: NodeId, name: String) -> Result<Reclaimed, Failure> {
    // A node that was paused while it sent signatures (COPY) holds their batches until it resumes, because no
    // timeout of the server applies while the server waits for the rest. The node is dead, so its backends are
    // terminated.
    row::<EndHolders, i64, _>(connection, &[Value::Integer(node.0)])?;
    let batches = release_all_of(connection, node)?;
    let deleted = execute::<DeleteNode, _>(connection, &[Value::Integer(node.0)])?;
    expect_rows("removing a dead node", 1, deleted)?;
    Ok(Reclaimed { node, name, batches })
}

/// Caps a time at ten years, which is as good as forever and cannot overflow.
pub(super) fn millis(time: Duration) -> i64 {
    const TEN_YEARS: Duration = Duration::from_secs(10 * 366 * 86_400);
    time.min(TEN_YEARS).as_millis() as i64
}

/// A backend that holds batches of a dead node is that node's: other reclaimers leave the node to us. We may not
/// terminate backends of other database users. If one of them holds the lock, the reclaim times out and is tried
/// again.
struct EndHolders;
impl Sql for EndHolders {
    const TEXT: &'static str = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_stat_activity USING (pid) \
         WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted AND pid <> pg_backend_pid() \
         AND usename = current_user AND transactionid IN (SELECT xmax FROM batch WHERE node_id = ?)";
    type Columns = BigInt;
}

/// Terminates backends that froze in a transaction before the clock was set back. The server's timeouts use
/// that clock too, and would fire that much too late while others wait for a lock.
struct EndFrozen;
impl Sql for EndFrozen {
    const TEXT: &'static str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() \
         AND state LIKE 'idle in transaction%' AND state_change > clock_timestamp()";
    type Columns = BigInt;
}

struct InsertNode;
impl Sql for InsertNode {
    const TEXT: &'static str = "INSERT INTO node (name, lease_until, lease_ttl, custodians) \
         VALUES (?, clock_timestamp() + ? * interval '1 millisecond', ?, ?) RETURNING id";
    type Columns = BigInt;
}

struct RenewNode;
impl Sql for RenewNode {
    const TEXT: &'static str = "UPDATE node SET lease_until = clock_timestamp() + ? * interval '1 millisecond', \
         lease_ttl = ?, custodians = ? WHERE id = ?";
    type Columns = ();
}

struct HoldNode;
impl Sql for HoldNode {
    const TEXT: &'static str = "SELECT name FROM node WHERE id = ? FOR UPDATE";
    type Columns = Text;
}

/// Removes a node.
pub(super) struct DeleteNode;
impl Sql for DeleteNode {
    const TEXT: &'static str = "DELETE FROM node WHERE id = ?";
    type Columns = ();
}

/// Also finds nodes whose lease ends later than any renewal could have set it.
struct Dead;
impl Sql for Dead {
    const TEXT: &'static str = "SELECT id FROM node \
         WHERE (lease_until + ? * interval '1 millisecond' < clock_timestamp() \
         OR lease_until > clock_timestamp() + lease_ttl * interval '1 millisecond') AND id <> ? LIMIT 1";
    type Columns = BigInt;
}

/// Skips a node that is being renewed at this moment. If the renewal fails, the next reclaim finds the node.
struct CountFromNow;
impl Sql for CountFromNow {
    const TEXT: &'static str = "UPDATE node SET lease_until = clock_timestamp() + lease_ttl * interval '1 millisecond' \
         WHERE id IN (SELECT id FROM node \
             WHERE lease_until > clock_timestamp() + lease_ttl * interval '1 millisecond' AND id <> ? \
             ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)";
    type Columns = ();
}

struct TakeDead;
impl Sql for TakeDead {
    const TEXT: &'static str = "SELECT id, name FROM node \
         WHERE lease_until + ? * interval '1 millisecond' < clock_timestamp() AND id <> ? \
         ORDER BY id FOR UPDATE SKIP LOCKED";
    type Columns = (BigInt, Text);
}
