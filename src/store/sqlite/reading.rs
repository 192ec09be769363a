//! Reading batches and signatures, and making domain values of stored ones.

use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use super::{
    SqliteStore,
    batches::sql_limit,
    errors::Failure,
    statement::{Sql, Value, row, rows},
};
use crate::{
    domain::{BatchId, BatchState, Epoch, KeyId, NodeId, RecordId, Runs, Scheme},
    store::{BatchRow, SignedRow, StoreError},
};

/// How many records are read at a time, and how many bytes of them, whichever comes first.
const PAGE_ROWS: i64 = 512;
const PAGE_BYTES: usize = 4 << 20;

/// See [`crate::store::Store::batches`].
pub(super) fn batches(
    store: &SqliteStore,
    after: BatchId,
    limit: usize,
) -> Result<Vec<BatchRow>, StoreError> {
    store.query(|connection| {
        let values = [Value::Integer(after.0), Value::Integer(sql_limit(limit))];
        let rows: Vec<RawBatch> = rows::<BatchesAfter, _>(connection, &values)?;
        rows.into_iter().map(batch_row).collect()
    })
}

/// See [`crate::store::Store::batch_of`].
pub(super) fn batch_of(store: &SqliteStore, record: RecordId) -> Result<Option<BatchRow>, StoreError> {
    store.query(|connection| {
        let found: Option<RawBatch> = row::<BatchOf, _>(connection, &[Value::Integer(record.0)])?;
        found.map(batch_row).transpose()
    })
}

/// See [`crate::store::Store::read_signed`].
///
/// Each page is read as a whole before it is shown: whoever watches may be slow, and a long read
/// would keep the write-ahead log from being cut.
pub(super) fn read_signed(
    store: &SqliteStore,
    records: &Runs,
    visit: &mut dyn FnMut(SignedRow<'_>),
) -> Result<(), StoreError> {
    for (first, last) in records.ranges() {
        let mut next = first.0;
        while next <= last.0 {
            let page = store.query(|connection| {
                let values = [Value::Integer(next), Value::Integer(last.0), Value::Integer(PAGE_ROWS)];
                page(connection, &values)
            })?;
            let Some((last_id, ..)) = page.last() else { break };
            next = last_id + 1;
            for (id, external_id, payload, batch, signature) in &page {
                visit(SignedRow {
                    record: RecordId(*id),
                    external_id: external_id.as_deref().map(String::from_utf8_lossy).as_deref(),
                    payload,
                    signature: batch.map(BatchId).zip(signature.as_deref()),
                });
            }
        }
    }
    Ok(())
}

/// The `external_id` as bytes: SQLite takes any, and one of them must not stop an export.
type RawSigned = (i64, Option<Vec<u8>>, Vec<u8>, Option<i64>, Option<Vec<u8>>);

fn page(connection: &mut diesel::SqliteConnection, values: &[Value<'_>]) -> Result<Vec<RawSigned>, Failure> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for row in super::statement::iterate::<SignedBetween, RawSigned>(connection, values)? {
        let row = row?;
        bytes += row.2.len();
        page.push(row);
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}

type RawBatch =
    ((i64, i64, i64, String, i64), (String, i64, Option<i64>, Option<i64>, Option<String>, Option<String>));

fn batch_row(raw: RawBatch) -> Result<BatchRow, Failure> {
    let ((id, first, last, runs, count), (state, epoch, key, node, scheme, signed_at)) = raw;
    let scheme: Option<Scheme> =
        scheme.map(|name| name.parse()).transpose().map_err(|error| corrupt("batch", id, &error))?;
    let count = u64::try_from(count).map_err(|error| corrupt("batch", id, &error))?;
    Ok(BatchRow {
        id: BatchId(id),
        records: parse_runs(BatchId(id), &runs)?,
        stored_span: (RecordId(first), RecordId(last), count),
        state: parse_state(&state)?,
        epoch: Epoch(epoch),
        key: key.map(KeyId),
        node: node.map(NodeId),
        scheme,
        signed_at,
    })
}

pub(super) fn parse_runs(batch: BatchId, runs: &str) -> Result<Runs, Failure> {
    runs.parse().map_err(|error| corrupt("batch", batch.0, &error))
}

pub(super) fn parse_state(state: &str) -> Result<BatchState, Failure> {
    state
        .parse()
        .map_err(|error: crate::domain::UnknownBatchState| StoreError::Corrupt(error.to_string()).into())
}

/// Says which row it was.
pub(super) fn corrupt(table: &str, id: i64, error: &dyn std::error::Error) -> Failure {
    Failure(StoreError::Corrupt(format!("{table} {id}: {error}")))
}

type BatchColumns = (
    (BigInt, BigInt, BigInt, Text, BigInt),
    (Text, BigInt, Nullable<BigInt>, Nullable<BigInt>, Nullable<Text>, Nullable<Text>),
);

struct BatchesAfter;
impl Sql for BatchesAfter {
    const TEXT: &'static str = "SELECT id, first_record, last_record, runs, record_count, state, epoch, key_id, \
         node_id, scheme, signed_at FROM batch WHERE id > ? ORDER BY id LIMIT +?";
    type Columns = BatchColumns;
}

struct BatchOf;
impl Sql for BatchOf {
    const TEXT: &'static str = "SELECT id, first_record, last_record, runs, record_count, state, epoch, key_id, \
         node_id, scheme, signed_at FROM batch WHERE state = 'signed' \
         AND id = (SELECT batch_id FROM signature WHERE record_id = ?)";
    type Columns = BatchColumns;
}

/// What is stored, as it is: `verify` must see signatures that should not be there, too.
struct SignedBetween;
impl Sql for SignedBetween {
    const TEXT: &'static str = "SELECT record.id, CAST(external_id AS BLOB), CAST(payload AS BLOB), batch_id, value \
         FROM record LEFT JOIN signature ON signature.record_id = record.id \
         WHERE record.id BETWEEN ? AND ? ORDER BY record.id LIMIT +?";
    type Columns = (BigInt, Nullable<Binary>, Binary, Nullable<BigInt>, Nullable<Binary>);
}
