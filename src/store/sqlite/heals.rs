//! Putting back what the database lacks.

use std::path::Path;

use diesel::{SqliteConnection, sql_types::BigInt};

use super::{
    audit_log::InsertAudit,
    commits,
    errors::Failure,
    ids::{fill, raise_ids},
    ledger,
    migrations::refuse_living,
    nodes::DeleteNode,
};
use crate::{
    domain::{
        By, NodeId,
        ledger::{BatchSigned, Entry, Head, Origin},
    },
    store::{
        HealVerdict, Healing, LostRecord, StoreError,
        sql::{
            Growing, NOT_HALTED, SetHalted, Sql, Value, execute, expect_rows, form_again, halted_after,
            insert_entry, key_again, lease_again, misfit, note_healed, row, signed_again,
        },
    },
};

/// See [`crate::store::Restores::heal`].
pub(super) fn heal(
    connection: &mut SqliteConnection,
    path: &Path,
    at: (Origin, Head),
    part: Healing<'_>,
    by: &By,
) -> Result<HealVerdict, Failure> {
    let mut ledger = ledger::read(connection)?;
    let (halted, halted_size) = (ledger.halted().map(str::to_owned), ledger.halted_size());
    if (ledger.origin(), ledger.head()) != at || halted.is_none() && !matches!(part, Healing::Begin { .. }) {
        return Ok(HealVerdict::Changed);
    }
    refuse_living(connection, path)?;
    // The triggers would refuse it.
    execute::<SetHalted, _>(connection, &NOT_HALTED)?;
    match part {
        // A place in the feed is given in the commit, so the places are those of the ledger.
        Healing::Begin { .. } => {}
        Healing::Records(records) => records.iter().try_for_each(|record| put_back(connection, record))?,
        Healing::Batch { batch, .. } => {
            form_again(connection, batch, |connection, highest| fill(connection, highest, batch))?;
        }
        Healing::Signed { entry, contents, signatures } => {
            let node = Node::insert(connection)?;
            let lease = lease_again::<LeaseAt, _, Failure>(connection, entry, node.0)?;
            let signed = signed_again(lease, entry, contents, signatures)?;
            commits::store(connection, &signed, &entry.signed_at.to_string(), &mut ledger)?;
            check(&ledger, entry)?;
            node.delete(connection)?;
        }
        Healing::Key(entry) => {
            key_again::<_, Failure>(connection, entry)?;
            insert_entry::<_, Failure>(connection, ledger.add(Entry::Key(entry.clone())))?;
        }
        Healing::End => end(connection, at, by)?,
    }
    if !ledger.added().is_empty() {
        ledger::store_end(connection, &ledger)?;
    }
    let halted = halted_after(&part, (halted.as_deref(), halted_size));
    execute::<SetHalted, _>(connection, &halted)?;
    Ok(HealVerdict::Done)
}

/// Stores a record under its id. A trigger leaves out one that is there with the same name and payload.
fn put_back(connection: &mut SqliteConnection, record: &LostRecord<'_>) -> Result<(), Failure> {
    let LostRecord { id, external_id, payload } = *record;
    let values = [Value::Integer(id.0), Value::OptionalText(external_id), Value::Blob(payload)];
    Ok(expect_rows("putting a record back", 1, execute::<PutBack, _>(connection, &values)?)?)
}

/// Checks that the batch has the entry that it had.
fn check(ledger: &Growing, entry: &BatchSigned) -> Result<(), StoreError> {
    let added = ledger.added().last().map(|receipt| receipt.leaf());
    if added == Some(Entry::Batch(entry.clone()).leaf()) { Ok(()) } else { Err(misfit(entry)) }
}

fn end(connection: &mut SqliteConnection, at: (Origin, Head), by: &By) -> Result<(), Failure> {
    raise_ids(connection, 0)?;
    note_healed::<InsertAudit, _, _>(connection, at, by)
}

/// The node that leases a batch, which is gone at the end of the transaction.
struct Node(NodeId);

impl Node {
    fn insert(connection: &mut SqliteConnection) -> Result<Self, Failure> {
        let id: Option<i64> = row::<InsertNode, _, _>(connection, &[])?;
        expect_rows("adding a node", 1, usize::from(id.is_some()))?;
        Ok(Self(NodeId(id.unwrap_or_default())))
    }

    fn delete(self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        let deleted = execute::<DeleteNode, _>(connection, &[Value::Integer(self.0.0)])?;
        Ok(expect_rows("removing a node", 1, deleted)?)
    }
}

struct PutBack;
impl Sql for PutBack {
    const TEXT: &'static str = "INSERT INTO record (id, external_id, payload) VALUES (?, ?, ?)";
    type Columns = ();
}

struct InsertNode;
impl Sql for InsertNode {
    const TEXT: &'static str = "INSERT INTO node (name, lease_until, lease_ttl, custodians) \
         VALUES ('heal', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 0, '') RETURNING id";
    type Columns = BigInt;
}

/// When it was leased is not known, but it was within the time of the key.
struct LeaseAt;
impl Sql for LeaseAt {
    const TEXT: &'static str = "UPDATE batch SET state = 'leased', epoch = epoch + 1, key_id = ?, node_id = ?, scheme = ?, \
         leased_at = (SELECT max(min(?, coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', not_after, '-0.001 seconds'), '9999')), \
         coalesce(not_before, '')) FROM signing_key WHERE id = ?) WHERE id = ? AND state = 'open'";
    type Columns = ();
}
