//! Accepting that a database lacks what was signed, within a transaction that is under way.

use std::collections::BTreeMap;

use diesel::{
    Connection,
    query_dsl::methods::{ExecuteDsl, LoadQuery},
    result::Error,
    sql_types::{BigInt, Text},
};

use super::{
    audit_log::{Change, note},
    batches::{batch_state, runs},
    checks::expect_rows,
    keys::RetireKey,
    ledger::{Growing, InsertEntry, insert_entry, key_entry},
    statement::{Bound, Sql, Value, execute, row, rows},
};
use crate::{
    anchors::{IntendedBatch, Loss},
    domain::{
        Action, BatchId, BatchState, By, RecordId, Runs,
        ledger::{Entry, Head, KeyChange, LostBatches, Origin, Restored},
    },
    store::{AcceptVerdict, Acceptance, StoreError},
};

/// Ids of records after a restore begin behind a multiple of this, because records that were lost before they were signed
/// had ids, too, of which no anchor knows.
const ROUND: i64 = 1_000_000_000;

/// The last id that no record can have any more, where ids up to `used` were used.
pub(in crate::store) fn last_id_after(used: i64) -> Result<i64, StoreError> {
    let last = (used / ROUND + 1).checked_mul(ROUND);
    last.ok_or_else(|| StoreError::Refused("there are no ids left for other records".to_owned()))
}

/// The highest id of a record that an anchor knows.
pub(in crate::store) fn highest_record(loss: &Loss) -> i64 {
    loss.batches.iter().filter_map(|batch| batch.records.last()).map(|id| id.0).max().unwrap_or_default()
}

/// What became lost.
#[derive(Default)]
pub(in crate::store) struct Lost {
    pub(in crate::store) batches: u64,
    pub(in crate::store) kept_records: u64,
    pub(in crate::store) lost_records: u64,
    pub(in crate::store) retired_keys: u64,
}

impl Lost {
    /// The verdict with a new incarnation, whose records have no id up to `last_id`.
    pub(in crate::store) fn accepted(self, origin: Origin, last_id: RecordId) -> AcceptVerdict {
        let Self { batches, kept_records, lost_records, retired_keys } = self;
        AcceptVerdict::Accepted { origin, batches, kept_records, lost_records, retired_keys, last_id }
    }
}

/// Begins the next incarnation of a ledger, which goes on if it was halted. `Insert` writes the audit log.
pub(in crate::store) fn begin_incarnation<Insert, C, E>(
    connection: &mut C,
    ledger: &mut Growing,
    acceptance: Acceptance<'_>,
    now: &str,
    by: &By,
) -> Result<(), E>
where
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
    for<'a> Bound<'a, BeginIncarnation>: ExecuteDsl<C>,
    for<'a> Bound<'a, InsertEntry>: ExecuteDsl<C>,
    for<'a> Bound<'a, LostBefore>: LoadQuery<'a, C, (i64, String)>,
{
    let batches = lost_from_now_on::<C, E>(connection, acceptance)?;
    ledger.restore(acceptance, batches, now)?;
    // To a halted ledger nothing can be added.
    store_incarnation::<C, E>(connection, ledger)?;
    ledger.added().iter().try_for_each(|receipt| insert_entry::<C, E>(connection, receipt))?;
    let (object, before) = (ledger.origin().to_string(), acceptance.loss.origin.to_string());
    let again = if acceptance.signs_again { "; what was lost may be signed again" } else { "" };
    let after = format!("{}{again}", acceptance.reason.as_str());
    let (before, after) = (Some(before.as_str()), Some(after.as_str()));
    note::<Insert, C, E>(
        connection,
        by,
        &Change { action: Action::AcceptRestore, object: &object, before, after },
    )
}

fn store_incarnation<C, E>(connection: &mut C, ledger: &Growing) -> Result<(), E>
where
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, BeginIncarnation>: ExecuteDsl<C>,
{
    let (size, edge) = ledger.columns();
    let incarnation = i64::from(ledger.origin().incarnation.get());
    let values = [Value::Integer(incarnation), Value::Integer(size), Value::Blob(&edge)];
    let begun = execute::<BeginIncarnation, _>(connection, &values)?;
    Ok(expect_rows("beginning an incarnation", 1, begun)?)
}

/// All batches that are lost when a loss has been accepted.
fn lost_from_now_on<C, E>(connection: &mut C, acceptance: Acceptance<'_>) -> Result<Head, E>
where
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, LostBefore>: LoadQuery<'a, C, (i64, String)>,
{
    let mut all = BTreeMap::new();
    for (id, text) in rows::<LostBefore, (i64, String), _>(connection, &[])? {
        all.insert(id, runs(id, &text)?);
    }
    if !acceptance.signs_again {
        all.extend(acceptance.loss.batches.iter().map(|batch| (batch.id.0, batch.records.clone())));
    }
    let mut lost = LostBatches::default();
    all.iter().for_each(|(id, records)| lost.add(BatchId(*id), records));
    Ok(lost.head())
}

/// Retires the keys again that were retired after the backup. Returns how many there are.
pub(in crate::store) fn retire_again<Insert, C, E>(
    connection: &mut C,
    ledger: &mut Growing,
    loss: &Loss,
    now: &str,
    by: &By,
) -> Result<u64, E>
where
    Insert: Sql,
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, Insert>: ExecuteDsl<C>,
    for<'a> Bound<'a, RetireKey>: ExecuteDsl<C>,
    for<'a> Bound<'a, InsertEntry>: ExecuteDsl<C>,
    for<'a> Bound<'a, BeginIncarnation>: ExecuteDsl<C>,
{
    let mut retired = 0;
    for fingerprint in loss.retired() {
        let fingerprint = fingerprint.to_string();
        if execute::<RetireKey, _>(connection, &[Value::Text(&fingerprint)])? == 0 {
            continue;
        }
        insert_entry::<C, E>(connection, ledger.add(key_entry(KeyChange::Retired, &fingerprint, now)?))?;
        let after = Some("retired: it was, before the restore");
        let change = Change { action: Action::SetKeyState, object: &fingerprint, before: None, after };
        note::<Insert, C, E>(connection, by, &change)?;
        retired += 1;
    }
    store_incarnation::<C, E>(connection, ledger)?;
    Ok(retired)
}

/// Makes batches lost that were signed. `fill` gives a batch to each id between the highest one that there is, and that of a
/// batch that the database does not have.
pub(in crate::store) fn lose<C, E>(
    connection: &mut C,
    loss: &Loss,
    mut highest: i64,
    mut fill: impl FnMut(&mut C, i64, &IntendedBatch) -> Result<(), E>,
) -> Result<Lost, E>
where
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, Overlapping>: LoadQuery<'a, C, (i64, String, String)>,
    for<'a> Bound<'a, RecordsBetween>: LoadQuery<'a, C, i64>,
    for<'a> Bound<'a, KeyNamed>: LoadQuery<'a, C, i64>,
    for<'a> Bound<'a, LoseBatch>: ExecuteDsl<C>,
    for<'a> Bound<'a, InsertLost>: ExecuteDsl<C>,
    for<'a> Bound<'a, CountLost>: ExecuteDsl<C>,
{
    let mut lost = Lost::default();
    for batch in &loss.batches {
        let fingerprint = batch.fingerprint.to_string();
        let key: Option<i64> = row::<KeyNamed, _, _>(connection, &[Value::Text(&fingerprint)])?;
        let count = batch.records.len();
        let absent = if is_there::<C, E>(connection, batch)? {
            let values =
                [Value::Integer(batch.epoch.0), Value::OptionalInteger(key), Value::Integer(batch.id.0)];
            expect_rows("losing a batch", 1, execute::<LoseBatch, _>(connection, &values)?)?;
            0
        } else if batch.id.0 <= highest {
            return Err(others(batch).into());
        } else {
            fill(connection, highest, batch)?;
            highest = batch.id.0;
            let absent = count - existing::<C, E>(connection, &batch.records)?;
            insert_lost::<C, E>(connection, batch.id, &batch.records, absent, (batch.epoch.0, key))?;
            absent
        };
        if let Some(key) = key {
            let more = Value::Integer(count as i64);
            let values = [more, more, more, Value::Integer(key)];
            expect_rows("counting lost signatures", 1, execute::<CountLost, _>(connection, &values)?)?;
        }
        lost.batches += 1;
        lost.kept_records += count - absent;
        lost.lost_records += absent;
    }
    Ok(lost)
}

/// Whether the database has a batch, unsigned. No other batch may have any of its records.
pub(super) fn is_there<C, E>(connection: &mut C, batch: &IntendedBatch) -> Result<bool, E>
where
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, Overlapping>: LoadQuery<'a, C, (i64, String, String)>,
{
    let (Some(first), Some(last)) = (batch.records.first(), batch.records.last()) else {
        return Err(others(batch).into());
    };
    let (first, last) = (Value::Integer(first.0), Value::Integer(last.0));
    let values = [last, first, last, first];
    let mut is_there = false;
    for (id, text, state) in rows::<Overlapping, (i64, String, String), _>(connection, &values)? {
        let (records, state) = (runs(id, &text)?, batch_state(&state)?);
        if id == batch.id.0 && records == batch.records && state != BatchState::Lost {
            is_there = true;
        } else if id == batch.id.0 || overlap(&records, &batch.records) {
            return Err(others(batch).into());
        }
    }
    Ok(is_there)
}

fn overlap(one: &Runs, other: &Runs) -> bool {
    one.merge(other).len() < one.len() + other.len()
}

pub(super) fn others(batch: &IntendedBatch) -> StoreError {
    StoreError::Refused(format!(
        "the batches of the database are not those that were signed: batch {} had the records {}. The database may have gone \
         on without its anchor after it was put back: put the same backup back again",
        batch.id, batch.records
    ))
}

/// How many of these records there are.
pub(super) fn existing<C, E>(connection: &mut C, records: &Runs) -> Result<u64, E>
where
    E: From<Error>,
    for<'a> Bound<'a, RecordsBetween>: LoadQuery<'a, C, i64>,
{
    records.ranges().try_fold(0, |count, (first, last)| {
        let values = [Value::Integer(first.0), Value::Integer(last.0)];
        let more: Option<i64> = row::<RecordsBetween, _, _>(connection, &values)?;
        Ok(count + more.unwrap_or_default() as u64)
    })
}

/// Stores a lost batch with its epoch and its key.
pub(in crate::store) fn insert_lost<C, E>(
    connection: &mut C,
    id: BatchId,
    records: &Runs,
    absent: u64,
    (epoch, key): (i64, Option<i64>),
) -> Result<(), E>
where
    C: Connection,
    E: From<Error> + From<StoreError>,
    for<'a> Bound<'a, InsertLost>: ExecuteDsl<C>,
{
    let ends = [records.first(), records.last()].map(|id| Value::Integer(id.map_or(0, |id| id.0)));
    let runs = records.to_string();
    let values = [
        Value::Integer(id.0),
        ends[0],
        ends[1],
        Value::Text(&runs),
        Value::Integer(records.len() as i64),
        Value::Integer(absent as i64),
        Value::Integer(epoch),
        Value::OptionalInteger(key),
    ];
    Ok(expect_rows("storing a lost batch", 1, execute::<InsertLost, _>(connection, &values)?)?)
}

/// The restore among these entries that ended an incarnation.
pub(in crate::store) fn end_of(
    entries: Vec<String>,
    incarnation: Origin,
) -> Result<Option<Restored>, StoreError> {
    for text in entries {
        match text.parse() {
            Ok(Entry::Restore(restored)) if restored.from == incarnation => return Ok(Some(restored)),
            Ok(_) => {}
            Err(error) => return Err(StoreError::Corrupt(format!("the entry of a restore: {error}"))),
        }
    }
    Ok(None)
}

/// Begins an incarnation: its number, and the size and the edge of the ledger with its first entry.
pub(in crate::store) struct BeginIncarnation;
impl Sql for BeginIncarnation {
    const TEXT: &'static str =
        "UPDATE ledger SET incarnation = ?, size = ?, edge = ?, halted = NULL, halted_size = NULL";
    type Columns = ();
}

/// The batches that were signed and are lost.
pub(in crate::store) struct LostBefore;
impl Sql for LostBefore {
    const TEXT: &'static str = "SELECT id, runs FROM batch WHERE state = 'lost' AND epoch > 0 ORDER BY id";
    type Columns = (BigInt, Text);
}

/// The entries of all restores.
pub(in crate::store) struct RestoreEntries;
impl Sql for RestoreEntries {
    const TEXT: &'static str = "SELECT entry FROM receipt WHERE entry LIKE 'signwave/restore/%' ORDER BY seq";
    type Columns = Text;
}

/// The highest id of a batch.
pub(in crate::store) struct HighestBatch;
impl Sql for HighestBatch {
    const TEXT: &'static str = "SELECT coalesce(max(id), 0) FROM batch";
    type Columns = BigInt;
}

/// Unsigned batches whose ranges of ids begin before an id and end behind another, which are given twice. (The signed ones are
/// those of the ledger, in which no record is twice.)
pub(in crate::store) struct Overlapping;
impl Sql for Overlapping {
    const TEXT: &'static str = "SELECT id, runs, state FROM batch WHERE state = 'open' AND first_record <= ? AND last_record >= ? \
         UNION ALL SELECT id, runs, state FROM batch WHERE state = 'leased' AND first_record <= ? AND last_record >= ?";
    type Columns = (BigInt, Text, Text);
}

/// How many records there are from one id to another.
pub(in crate::store) struct RecordsBetween;
impl Sql for RecordsBetween {
    const TEXT: &'static str = "SELECT count(*) FROM record WHERE id BETWEEN ? AND ?";
    type Columns = BigInt;
}

/// The id of the key with a fingerprint.
pub(in crate::store) struct KeyNamed;
impl Sql for KeyNamed {
    const TEXT: &'static str = "SELECT id FROM signing_key WHERE fingerprint = ?";
    type Columns = BigInt;
}

/// Makes an unsigned batch lost.
pub(in crate::store) struct LoseBatch;
impl Sql for LoseBatch {
    const TEXT: &'static str = "UPDATE batch SET state = 'lost', epoch = ?, key_id = ?, node_id = NULL, scheme = NULL, \
         leased_at = NULL WHERE id = ? AND state IN ('open', 'leased')";
    type Columns = ();
}

/// Forms a batch that is lost.
pub(in crate::store) struct InsertLost;
impl Sql for InsertLost {
    const TEXT: &'static str = "INSERT INTO batch (id, first_record, last_record, runs, record_count, absent, epoch, key_id, state) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'lost')";
    type Columns = ();
}

/// Counts signatures that a key has made, and that are lost. If that is more than its limit, which was raised since the
/// backup, then it is the limit now.
pub(in crate::store) struct CountLost;
impl Sql for CountLost {
    const TEXT: &'static str = "UPDATE signing_key SET signature_count = signature_count + ?, max_signatures = \
         CASE WHEN max_signatures < signature_count + ? THEN signature_count + ? ELSE max_signatures END WHERE id = ?";
    type Columns = ();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_begin_behind_all_that_were_used() {
        assert_eq!(last_id_after(0), Ok(ROUND));
        assert_eq!(last_id_after(ROUND - 1), Ok(ROUND));
        assert_eq!(last_id_after(ROUND), Ok(2 * ROUND));
        assert!(last_id_after(i64::MAX - 1).is_err());
    }
}
