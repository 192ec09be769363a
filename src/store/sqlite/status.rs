//! How far the work is.

use diesel::{Queryable, SqliteConnection, sql_types::BigInt};

use super::{barred::barred, errors::Failure, ledger, outlets::end_of_feed, refused::CountRefused, webhooks};
use crate::{
    domain::Position,
    store::{
        Status,
        sql::{
            self, HighestBatch, KeySumColumns, NodeColumns, RawKeySum, RawNode, RawSum, Sql, SumColumns,
            Value, row, rows,
        },
    },
};

/// Beyond this many records above the frontier, the rest is estimated from their ids.
const COUNTED_AT_MOST: i64 = 100_000;

/// See [`crate::store::Reading::status`].
///
/// Nothing here reads a row per signed batch or record: what is signed is the sum of the keys'
/// `signature_count`, which rises in the transaction that stores signatures, without those of lost batches, and batches are numbered
/// without gaps.
pub(super) fn status(connection: &mut SqliteConnection) -> Result<Status, Failure> {
    let mut status = sql::status(
        rows::<ListNodes, RawNode, _>(connection, &[])?,
        unbatched(connection)?,
        rows::<CountKeys, RawKeySum, _>(connection, &[])?,
        rows::<UnsignedBatches, RawSum, _>(connection, &[])?,
        row::<HighestBatch, i64, _>(connection, &[])?.unwrap_or_default(),
    )?;
    let refused: Option<i64> = row::<CountRefused, _, _>(connection, &[Value::Integer(COUNTED_AT_MOST)])?;
    status.refused = refused.unwrap_or_default() as u64;
    status.webhooks = webhooks::all(connection)?;
    let end = end_of_feed(connection)?;
    status.feed = Some(Position::behind(end.feed, end.last));
    status.ledger = ledger::read(connection).ok().map(Into::into);
    Ok(status)
}

/// Counts up to [`COUNTED_AT_MOST`] records in no batch. Estimates the rest of a longer backlog from its ids,
/// which have gaps only where a user chose them.
fn unbatched(connection: &mut SqliteConnection) -> Result<u64, Failure> {
    let values = [Value::Integer(COUNTED_AT_MOST)];
    let found: Unbatched = row::<CountUnbatched, _, _>(connection, &values)?.unwrap_or_default();
    let rest = if found.counted < COUNTED_AT_MOST { 0 } else { found.highest - found.reached };
    Ok((found.counted + rest) as u64)
}

/// Records above the frontier.
#[derive(Default, Queryable)]
struct Unbatched {
    counted: i64,
    /// The id up to which they were counted.
    reached: i64,
    /// The highest id of a record.
    highest: i64,
}

struct CountKeys;
impl Sql for CountKeys {
    const TEXT: &'static str = concat!(
        "SELECT state, custody, barred, count(*), sum(signature_count) FROM (SELECT state, custody, signature_count, ",
        barred!(),
        " AS barred FROM signing_key) GROUP BY state, custody, barred"
    );
    type Columns = KeySumColumns;
}

struct UnsignedBatches;
impl Sql for UnsignedBatches {
    const TEXT: &'static str = "SELECT state, count(*), sum(record_count), 0 FROM batch \
         WHERE state = 'open' GROUP BY state UNION ALL \
         SELECT state, count(*), sum(record_count), 0 FROM batch WHERE state = 'leased' GROUP BY state UNION ALL \
         SELECT state, count(*), sum(record_count - absent), \
             coalesce(sum(record_count) FILTER (WHERE key_id IS NOT NULL), 0) \
         FROM batch WHERE state = 'lost' GROUP BY state";
    type Columns = SumColumns;
}

struct CountUnbatched;
impl Sql for CountUnbatched {
    const TEXT: &'static str = "SELECT count(*), coalesce(max(id), 0), \
         coalesce((SELECT max(id) FROM record), 0) FROM (SELECT id FROM record \
         WHERE id > coalesce((SELECT last_record FROM batch ORDER BY id DESC LIMIT 1), 0) ORDER BY id LIMIT +?)";
    type Columns = (BigInt, BigInt, BigInt);
}

struct ListNodes;
impl Sql for ListNodes {
    const TEXT: &'static str = "SELECT id, name, started_at, lease_until, \
         (SELECT count(*) FROM batch WHERE batch.node_id = node.id), custodians FROM node ORDER BY id";
    type Columns = NodeColumns;
}
