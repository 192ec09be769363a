//! Putting back what the database lacks.

use diesel::{
    PgConnection, RunQueryDsl, sql_query,
    sql_types::{Array, BigInt, Binary, Bool, Nullable, Text},
};

use super::{
    audit_log::InsertAudit,
    commits,
    errors::Failure,
    gaps,
    ids::{fill, highest_id, raise_ids, rename_feed},
    ledger,
    migrations::refuse_under_nodes,
    nodes::DeleteNode,
};
use crate::{
    anchors::IntendedBatch,
    domain::{
        By, Contents, NodeId, RecordId, Runs, SignatureBuf,
        ledger::{BatchSigned, Entry, Head, Origin},
    },
    store::{
        HealVerdict, Healing, LostRecord,
        sql::{
            Growing, NOT_HALTED, SetHalted, Sql, Value, execute, expect_rows, form_again, halted_after,
            key_again, last_id_after, lease_again, misfit, note_healed, row, signed_again,
        },
    },
};

/// See [`crate::store::Restores::heal`].
pub(super) fn heal(
    connection: &mut PgConnection,
    at: (Origin, Head),
    part: Healing<'_>,
    by: &By,
) -> Result<HealVerdict, Failure> {
    refuse_under_nodes(connection)?;
    gaps::hold(connection)?;
    let mut ledger = ledger::hold(connection)?;
    let (halted, halted_size) = (ledger.halted().map(str::to_owned), ledger.halted_size());
    if (ledger.origin(), ledger.head()) != at || halted.is_none() && !matches!(part, Healing::Begin { .. }) {
        return Ok(HealVerdict::Changed);
    }
    // The triggers would refuse it.
    execute::<SetHalted, _>(connection, &NOT_HALTED)?;
    let mut verdict = HealVerdict::Done;
    match part {
        Healing::Begin { in_order, .. } => {
            // Batches get their places in the order of their ids, but not all at the same time.
            let is_known = match in_order {
                Some(lowest) => {
                    row::<IsBefore, bool, _>(connection, &[Value::Integer(lowest)])?.unwrap_or(false)
                }
                None => false,
            };
            if !is_known {
                rename_feed(connection)?;
                verdict = HealVerdict::FeedRenamed;
            }
        }
        Healing::Records(records) => put_back(connection, records)?,
        Healing::Batch { batch, highest } => form(connection, batch, highest)?,
        Healing::Signed { entry, contents, signatures } => {
            sign(connection, &mut ledger, entry, (contents, signatures))?;
        }
        Healing::Key(entry) => {
            key_again::<_, Failure>(connection, entry)?;
            ledger.add(Entry::Key(entry.clone()));
        }
        Healing::End => end(connection, at, by)?,
    }
    if !ledger.added().is_empty() {
        ledger::store(connection, &ledger)?;
    }
    let halted = halted_after(&part, (halted.as_deref(), halted_size));
    execute::<SetHalted, _>(connection, &halted)?;
    Ok(verdict)
}

/// Stores records under their ids.
fn put_back(connection: &mut PgConnection, records: &[LostRecord<'_>]) -> Result<(), Failure> {
    let ids: Runs = records.iter().map(|record| record.id).collect();
    let last = ids.last().map_or(0, |id| id.0);
    let highest = highest_id(connection)?;
    raise_ids(connection, highest.max(last))?;
    let (frontier, _) = gaps::all(connection)?;
    let below: Vec<_> = ids.ranges().map(|(first, last)| (first.0, last.0.min(frontier))).collect();
    gaps::admit(connection, &below.into_iter().filter(|(first, last)| first <= last).collect::<Vec<_>>())?;
    let names: Vec<_> = records.iter().map(|record| record.external_id).collect();
    let payloads: Vec<_> = records.iter().map(|record| record.payload).collect();
    let stored = sql_query(PUT_BACK)
        .bind::<Array<BigInt>, _>(records.iter().map(|record| record.id.0).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(names)
        .bind::<Array<Binary>, _>(payloads)
        .execute(connection)?;
    Ok(expect_rows("putting records back", records.len(), stored)?)
}

/// Forms a batch again. Ids that are in no batch become gaps, from which their records are formed later.
fn form(connection: &mut PgConnection, batch: &IntendedBatch, highest: RecordId) -> Result<(), Failure> {
    let used = highest_id(connection)?.max(highest.0);
    let before = gaps::all(connection)?;
    let mut unused = used;
    let formed = form_again::<_, Failure>(connection, batch, |connection, highest| {
        unused = fill(connection, highest, batch.id, used)?;
        Ok(())
    })?;
    if !formed {
        return Ok(());
    }
    gaps::leave(connection, before, [&batch.records], (used, unused))
}

/// Signs a batch again, and adds its entry.
fn sign(
    connection: &mut PgConnection,
    ledger: &mut Growing,
    entry: &BatchSigned,
    (contents, signatures): (&Contents, &SignatureBuf),
) -> Result<(), Failure> {
    let node: Option<i64> = row::<InsertNode, _, _>(connection, &[])?;
    expect_rows("adding a node", 1, usize::from(node.is_some()))?;
    let node = node.unwrap_or_default();
    let lease = lease_again::<LeaseAt, _, Failure>(connection, entry, NodeId(node))?;
    let signed = signed_again(lease, entry, contents, signatures)?;
    let entries = commits::store(connection, &[&signed], Some(&entry.signed_at.to_string()))?;
    if entries != [Entry::Batch(entry.clone())] {
        return Err(misfit(entry).into());
    }
    entries.into_iter().for_each(|entry| _ = ledger.add(entry));
    let deleted = execute::<DeleteNode, _>(connection, &[Value::Integer(node)])?;
    Ok(expect_rows("removing a node", 1, deleted)?)
}

fn end(connection: &mut PgConnection, at: (Origin, Head), by: &By) -> Result<(), Failure> {
    let last_id = last_id_after(highest_id(connection)?)?;
    raise_ids(connection, last_id)?;
    note_healed::<InsertAudit, _, _>(connection, at, by)
}

const PUT_BACK: &str = "INSERT INTO record (id, external_id, payload) OVERRIDING SYSTEM VALUE \
     SELECT id, external_id, payload FROM unnest($1, $2, $3) AS lost (id, external_id, payload)";

/// Whether all batches that wait for their places in the feed have ids below this one.
struct IsBefore;
impl Sql for IsBefore {
    const TEXT: &'static str = "SELECT NOT EXISTS (SELECT FROM unsequenced WHERE batch_id > ?)";
    type Columns = Bool;
}

struct InsertNode;
impl Sql for InsertNode {
    const TEXT: &'static str = "INSERT INTO node (name, lease_until, lease_ttl, custodians) \
         VALUES ('heal', clock_timestamp(), 0, '') RETURNING id";
    type Columns = BigInt;
}

/// When it was leased is not known, but it was within the time of the key.
struct LeaseAt;
impl Sql for LeaseAt {
    const TEXT: &'static str = "UPDATE batch SET state = 'leased', epoch = epoch + 1, key_id = ?, node_id = ?, scheme = ?, \
         leased_at = (SELECT greatest(least(?::text::timestamptz, not_after - interval '1 millisecond'), not_before) \
         FROM signing_key WHERE id = ?) WHERE id = ? AND state = 'open'";
    type Columns = ();
}
