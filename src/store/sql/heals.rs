//! Putting back what a database lacks, within a transaction that is under way.

use diesel::{
    Connection,
    query_dsl::methods::{ExecuteDsl, LoadQuery},
    result::Error,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    audit_log::{Change, note},
    batches::batch_state,
    checks::expect_rows,
    keys::RetireKey,
    restores::{HighestBatch, KeyNamed, Overlapping, RecordsBetween, existing, is_there, others},
    statement::{Bound, Sql, Value, execute, row},
};
use crate::{
    anchors::IntendedBatch,
    domain::{
        Action, BatchState, By, Contents, Epoch, KeyId, Lease, NodeId, OpenBatch, SignatureBuf, SignedBatch,
        ledger::{BatchSigned, Head, KeyChange, KeyChanged, Origin},
    },
    store::{Healing, StoreError},
};

/// The values of [`SetHalted`] after a part, of a ledger that was halted so before.
pub(in crate::store) fn halted_after<'a>(
    part: &Healing<'a>,
    (why, size): (Option<&'a str>, Option<u64>),
) -> [Value<'a>; 2] {
    let why = match *part {
        Healing::Begin { why, .. } => Some(why),
        Healing::End => return NOT_HALTED,
        _ => why,
    };
    [Value::OptionalText(why), Value::OptionalInteger(size.map(|size| size as i64))]
}

/// The values of [`SetHalted`] with which the ledger goes on.
pub(in crate::store) const NOT_HALTED: [Value<'static>; 2] =
    [Value::OptionalText(None), Value::OptionalInteger(None)];

/// Forms a batch that was formed, unless it is there. `fill` gives a batch to each id between the highest one that there is
/// and that of this batch. Returns whether it was formed now.
pub(in crate::store) fn form_again<C, E>(
    connection: &mut C,
    batch: &IntendedBatch,
    fill: impl FnOnce(&mut C, i64) -> Result<(), E>,
) -> Result<bool, E>
where
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, Overlapping>: LoadQuery<'a, C, (i64, String, String)>,
    for<'a> Bound<'a, RecordsBetween>: LoadQuery<'a, C, i64>,
    for<'a> Bound<'a, HighestBatch>: LoadQuery<'a, C, i64>,
    for<'a> Bound<'a, FormBatch>: ExecuteDsl<C>,
{
    if is_there::<C, E>(connection, batch)? {
        return Ok(false);
    }
    let highest: i64 = row::<HighestBatch, _, _>(connection, &[])?.unwrap_or_default();
    if batch.id.0 <= highest || existing::<C, E>(connection, &batch.records)? != batch.records.len() {
        return Err(others(batch).into());
    }
    fill(connection, highest)?;
    let ends = [batch.records.first(), batch.records.last()].map(|id| id.map_or(0, |id| id.0));
    let runs = batch.records.to_string();
    let values = [
        Value::Integer(batch.id.0),
        Value::Integer(ends[0]),
        Value::Integer(ends[1]),
        Value::Text(&runs),
        Value::Integer(batch.records.len() as i64),
    ];
    expect_rows("forming a batch again", 1, execute::<FormBatch, _>(connection, &values)?)?;
    Ok(true)
}

/// Leases a batch as it was leased when it was signed: with that key, under that number. Leases that the backup has and that
/// ended before are ended. `LeaseAt` leases it once.
pub(in crate::store) fn lease_again<LeaseAt, C, E>(
    connection: &mut C,
    entry: &BatchSigned,
    node: NodeId,
) -> Result<Lease, E>
where
    LeaseAt: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, KeyNamed>: LoadQuery<'a, C, i64>,
    for<'a> Bound<'a, HeldBatch>: LoadQuery<'a, C, RawHeld>,
    for<'a> Bound<'a, EndOtherLease>: ExecuteDsl<C>,
    for<'a> Bound<'a, EndLease>: ExecuteDsl<C>,
    for<'a> Bound<'a, RaiseLimit>: ExecuteDsl<C>,
    for<'a> Bound<'a, UseKey>: ExecuteDsl<C>,
    for<'a> Bound<'a, LeaseAt>: ExecuteDsl<C>,
{
    let (fingerprint, signed_at) = (entry.fingerprint.to_string(), entry.signed_at.to_string());
    let (batch, count) = (Value::Integer(entry.batch.0), Value::Integer(entry.records.len() as i64));
    let key: Option<i64> = row::<KeyNamed, _, _>(connection, &[Value::Text(&fingerprint)])?;
    let key = key.ok_or_else(|| no_key(&fingerprint))?;
    let key_id = Value::Integer(key);
    // A key has one lease at a time, so another one of the backup had ended before this one began.
    execute::<EndOtherLease, _>(connection, &[key_id, batch])?;
    execute::<RaiseLimit, _>(connection, &[count, key_id, count])?;
    loop {
        let held: Option<RawHeld> = row::<HeldBatch, _, _>(connection, &[batch])?;
        let Some((state, epoch, held_with, held_by, scheme)) = held else { return Err(misfit(entry).into()) };
        match batch_state(&state)? {
            BatchState::Leased if epoch == entry.epoch.0 => {
                let is_so = held_with == Some(key) && scheme.as_deref() == Some(entry.scheme.name());
                let node = held_by.map(NodeId).filter(|_| is_so).ok_or_else(|| misfit(entry))?;
                let open =
                    OpenBatch { id: entry.batch, epoch: Epoch(epoch - 1), records: entry.records.clone() };
                return Ok(open.lease(KeyId(key), node, entry.scheme));
            }
            BatchState::Leased if epoch < entry.epoch.0 => {
                expect_rows("ending a lease", 1, execute::<EndLease, _>(connection, &[batch])?)?;
            }
            BatchState::Open if epoch < entry.epoch.0 => {
                let (node, at) = (Value::Integer(node.0), Value::Text(&signed_at));
                let values = [key_id, node, Value::Text(entry.scheme.name()), at, key_id, batch];
                expect_rows("leasing a batch again", 1, execute::<LeaseAt, _>(connection, &values)?)?;
                expect_rows("noting the use of a key", 1, execute::<UseKey, _>(connection, &[key_id])?)?;
            }
            _ => return Err(misfit(entry).into()),
        }
    }
}

/// Signs a lease with the signatures that there were.
pub(in crate::store) fn signed_again(
    lease: Lease,
    entry: &BatchSigned,
    contents: &Contents,
    signatures: &SignatureBuf,
) -> Result<SignedBatch, StoreError> {
    let signed = lease.signed(contents, signatures.clone()).ok().filter(|signed| signed.root() == entry.root);
    signed.ok_or_else(|| misfit(entry))
}

/// Retires a key that was retired.
pub(in crate::store) fn key_again<C, E>(connection: &mut C, entry: &KeyChanged) -> Result<(), E>
where
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, KeyNamed>: LoadQuery<'a, C, i64>,
    for<'a> Bound<'a, RetireKey>: ExecuteDsl<C>,
{
    let fingerprint = entry.fingerprint.to_string();
    if row::<KeyNamed, i64, _>(connection, &[Value::Text(&fingerprint)])?.is_none() {
        return Err(no_key(&fingerprint).into());
    }
    if entry.change == KeyChange::Retired {
        execute::<RetireKey, _>(connection, &[Value::Text(&fingerprint)])?;
    }
    Ok(())
}

/// Writes into the audit log that a ledger has all its entries again.
pub(in crate::store) fn note_healed<Insert, C, E>(
    connection: &mut C,
    (origin, head): (Origin, Head),
    by: &By,
) -> Result<(), E>
where
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
{
    let (object, after) = (origin.to_string(), format!("{} entries", head.size));
    let change = Change { action: Action::HealRestore, object: &object, before: None, after: Some(&after) };
    note::<Insert, C, E>(connection, by, &change)
}

fn no_key(fingerprint: &str) -> StoreError {
    StoreError::Refused(format!("the database does not have the key {fingerprint}"))
}

/// The error where a batch of the database cannot have become what was signed.
pub(in crate::store) fn misfit(entry: &BatchSigned) -> StoreError {
    others(&IntendedBatch {
        id: entry.batch,
        records: entry.records.clone(),
        epoch: entry.epoch,
        fingerprint: entry.fingerprint,
    })
}

/// Halts the ledger, or lets it go on: why, and how many entries were committed.
pub(in crate::store) struct SetHalted;
impl Sql for SetHalted {
    const TEXT: &'static str = "UPDATE ledger SET halted = ?, halted_size = ?";
    type Columns = ();
}

/// Forms a batch under an id.
pub(in crate::store) struct FormBatch;
impl Sql for FormBatch {
    const TEXT: &'static str =
        "INSERT INTO batch (id, first_record, last_record, runs, record_count) VALUES (?, ?, ?, ?, ?)";
    type Columns = ();
}

/// A batch: its state, epoch, key, node and scheme.
pub(in crate::store) type RawHeld = (String, i64, Option<i64>, Option<i64>, Option<String>);

/// Reads a [`RawHeld`].
pub(in crate::store) struct HeldBatch;
impl Sql for HeldBatch {
    const TEXT: &'static str = "SELECT state, epoch, key_id, node_id, scheme FROM batch WHERE id = ?";
    type Columns = (Text, BigInt, Nullable<BigInt>, Nullable<BigInt>, Nullable<Text>);
}

/// Ends the lease of a key, unless it is that of one batch.
pub(in crate::store) struct EndOtherLease;
impl Sql for EndOtherLease {
    const TEXT: &'static str = "UPDATE batch SET state = 'open', epoch = epoch + 1, key_id = NULL, node_id = NULL, \
         scheme = NULL, leased_at = NULL WHERE key_id = ? AND state = 'leased' AND id <> ?";
    type Columns = ();
}

/// Ends the lease of a batch.
pub(in crate::store) struct EndLease;
impl Sql for EndLease {
    const TEXT: &'static str = "UPDATE batch SET state = 'open', epoch = epoch + 1, key_id = NULL, node_id = NULL, \
         scheme = NULL, leased_at = NULL WHERE id = ? AND state = 'leased'";
    type Columns = ();
}

/// A limit that is too low was raised since the backup.
pub(in crate::store) struct RaiseLimit;
impl Sql for RaiseLimit {
    const TEXT: &'static str = "UPDATE signing_key SET max_signatures = signature_count + ? \
         WHERE id = ? AND max_signatures < signature_count + ?";
    type Columns = ();
}

/// Makes a key the one that was used last.
pub(in crate::store) struct UseKey;
impl Sql for UseKey {
    const TEXT: &'static str =
        "UPDATE signing_key SET last_leased = (SELECT max(last_leased) + 1 FROM signing_key) WHERE id = ?";
    type Columns = ();
}
