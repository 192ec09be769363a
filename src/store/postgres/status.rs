//! How far the work is.

use diesel::{
    PgConnection,
    sql_types::{BigInt, Text},
};

use super::errors::Failure;
use crate::store::{
    Status,
    sql::{self, RawNode, RawSum, Sql, Value, row, rows},
};

/// Beyond so many records above the frontier, the rest is taken from their ids.
const COUNTED_AT_MOST: i64 = 100_000;

/// See [`crate::store::Reading::status`].
///
/// Nothing here reads a row per signed batch or record: what is signed is the sum of the keys'
/// `signature_count`, which rises in the transaction that stores signatures, and batches are numbered
/// without gaps.
pub(super) fn status(connection: &mut PgConnection) -> Result<Status, Failure> {
    Ok(sql::status(
        rows::<Nodes, RawNode, _>(connection, &[])?,
        unbatched(connection)?,
        rows::<CountKeys, RawSum, _>(connection, &[])?,
        rows::<UnsignedBatches, RawSum, _>(connection, &[])?,
        row::<HighestBatch, i64, _>(connection, &[])?.unwrap_or_default(),
    )?)
}

/// Counts up to [`COUNTED_AT_MOST`] of them, and those in gaps; the rest of a longer backlog by its ids.
fn unbatched(connection: &mut PgConnection) -> Result<u64, Failure> {
    let (counted, reached, highest, late) =
        row::<Unbatched, (i64, i64, i64, i64), _>(connection, &[Value::Integer(COUNTED_AT_MOST)])?
            .unwrap_or_default();
    let rest = if counted < COUNTED_AT_MOST { 0 } else { highest - reached };
    Ok((counted + rest + late) as u64)
}

struct CountKeys;
impl Sql for CountKeys {
    const TEXT: &'static str =
        "SELECT state, count(*), sum(signature_count)::bigint FROM signing_key GROUP BY state";
    type Columns = (Text, BigInt, BigInt);
}

struct UnsignedBatches;
impl Sql for UnsignedBatches {
    const TEXT: &'static str = "SELECT state, count(*), sum(record_count)::bigint FROM batch \
         WHERE state = 'open' GROUP BY state UNION ALL \
         SELECT state, count(*), sum(record_count)::bigint FROM batch WHERE state = 'leased' GROUP BY state";
    type Columns = (Text, BigInt, BigInt);
}

struct HighestBatch;
impl Sql for HighestBatch {
    const TEXT: &'static str = "SELECT coalesce(max(id), 0) FROM batch";
    type Columns = BigInt;
}

struct Unbatched;
impl Sql for Unbatched {
    const TEXT: &'static str = "SELECT count(*), coalesce(max(id), 0), coalesce((SELECT max(id) FROM record), 0), \
         (SELECT count(*) FROM gap JOIN record ON record.id BETWEEN gap.first_record AND gap.last_record) \
         FROM (SELECT id FROM record WHERE id > coalesce((SELECT max(last_record) FROM batch), 0) \
             ORDER BY id LIMIT ?) AS above";
    type Columns = (BigInt, BigInt, BigInt, BigInt);
}

struct Nodes;
impl Sql for Nodes {
    const TEXT: &'static str = "SELECT id, name, \
         to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), \
         to_char(lease_until AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), \
         (SELECT count(*) FROM batch WHERE batch.node_id = node.id) FROM node ORDER BY id";
    type Columns = (BigInt, Text, Text, Text, BigInt);
}
