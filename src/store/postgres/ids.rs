//! Ids that were used before a database was put back.

use diesel::{PgConnection, sql_types::BigInt};

use super::errors::Failure;
use crate::{
    domain::{BatchId, RecordId, Runs},
    store::sql::{Sql, Value, execute, insert_lost, row},
};

/// Gives a batch of one id behind `unused` to each id behind `highest` and before `next`. Returns the last of these ids, which
/// no record ever has.
pub(super) fn fill(
    connection: &mut PgConnection,
    highest: i64,
    next: BatchId,
    mut unused: i64,
) -> Result<i64, Failure> {
    for id in highest + 1..next.0 {
        unused += 1;
        let records: Runs = [RecordId(unused)].into_iter().collect();
        insert_lost::<_, Failure>(connection, BatchId(id), &records, 1, (0, None))?;
    }
    Ok(unused)
}

/// The highest id that a record or a batch has, or that a record had, as far as the database knows.
pub(super) fn highest_id(connection: &mut PgConnection) -> Result<i64, Failure> {
    Ok(row::<HighestId, _, _>(connection, &[])?.unwrap_or_default())
}

/// Lets no new record have an id up to this one.
pub(super) fn raise_ids(connection: &mut PgConnection, last: i64) -> Result<(), Failure> {
    row::<RaiseIds, i64, _>(connection, &[Value::Integer(last)])?;
    Ok(())
}

/// Gives the feed another id.
pub(super) fn rename_feed(connection: &mut PgConnection) -> Result<(), Failure> {
    execute::<RenameFeed, _>(connection, &[])?;
    Ok(())
}

/// The highest id that a record has or had.
struct HighestId;
impl Sql for HighestId {
    const TEXT: &'static str = "SELECT greatest((SELECT max(id) FROM record), (SELECT max(last_record) FROM batch), \
         pg_sequence_last_value(pg_get_serial_sequence('record', 'id')::regclass), 0)";
    type Columns = BigInt;
}

struct RaiseIds;
impl Sql for RaiseIds {
    const TEXT: &'static str = "SELECT setval(pg_get_serial_sequence('record', 'id'), ?)";
    type Columns = BigInt;
}

struct RenameFeed;
impl Sql for RenameFeed {
    const TEXT: &'static str = "UPDATE feed_identity SET id = left(md5(random()::text || random()::text || clock_timestamp()::text), 12)";
    type Columns = ();
}
