//! Ids that were used before a database was put back.

use diesel::{SqliteConnection, sql_types::BigInt};

use super::{
    batches::{ids_between, insert_batch},
    errors::Failure,
};
use crate::{
    anchors::IntendedBatch,
    domain::{BatchId, RecordId, Runs},
    store::{
        StoreError,
        sql::{Sql, Value, execute, expect_rows, insert_lost, last_id_after, row},
    },
};

/// Gives a batch to each id behind `highest` and before that of `next`, because batches are numbered without gaps. They were
/// formed there once, of records between, and not signed. Those that are still there are formed again.
pub(super) fn fill(
    connection: &mut SqliteConnection,
    highest: i64,
    next: &IntendedBatch,
) -> Result<(), Failure> {
    let frontier: i64 = row::<Frontier, _, _>(connection, &[])?.unwrap_or_default();
    let (mut first, end) = (frontier + 1, next.records.first().map_or(0, |id| id.0));
    let batches = next.id.0 - highest - 1;
    for nth in 0..batches {
        // Equal parts of the ids: each batch had one record at least.
        let last = first + (end - first) / (batches - nth) - 1;
        let ids = ids_between(connection, first, last)?;
        if ids.is_empty() {
            let records: Runs = (first..=last).map(RecordId).collect();
            let absent = records.len();
            insert_lost::<_, Failure>(connection, BatchId(highest + 1 + nth), &records, absent, (0, None))?;
        } else {
            insert_batch(connection, &ids.into_iter().map(RecordId).collect())?;
        }
        first = last + 1;
    }
    match ids_between(connection, first, end - 1)?.first() {
        Some(id) => Err(Failure(StoreError::Refused(format!(
            "record {id} was added after the database had been put back: put the same backup back again"
        )))),
        None => Ok(()),
    }
}

/// Lets no new record have an id that was used, where ids up to `used` are known to have been. Returns the last one that none
/// can have.
pub(super) fn raise_ids(connection: &mut SqliteConnection, used: i64) -> Result<i64, Failure> {
    let highest: i64 = row::<HighestId, _, _>(connection, &[])?.unwrap_or_default();
    let last = last_id_after(used.max(highest))?;
    if execute::<RaiseIds, _>(connection, &[Value::Integer(last)])? == 0 {
        let begun = execute::<BeginIds, _>(connection, &[Value::Integer(last)])?;
        expect_rows("raising the ids of records", 1, begun)?;
    }
    Ok(last)
}

struct Frontier;
impl Sql for Frontier {
    const TEXT: &'static str = "SELECT last_record FROM batch ORDER BY id DESC LIMIT 1";
    type Columns = BigInt;
}

/// The highest id that a record has or had.
struct HighestId;
impl Sql for HighestId {
    const TEXT: &'static str = "SELECT max(coalesce((SELECT max(id) FROM record), 0), \
         coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'record'), 0))";
    type Columns = BigInt;
}

struct RaiseIds;
impl Sql for RaiseIds {
    const TEXT: &'static str = "UPDATE sqlite_sequence SET seq = ? WHERE name = 'record'";
    type Columns = ();
}

/// There is no row before the first record.
struct BeginIds;
impl Sql for BeginIds {
    const TEXT: &'static str = "INSERT INTO sqlite_sequence (name, seq) VALUES ('record', ?)";
    type Columns = ();
}
