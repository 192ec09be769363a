//! Reading batches and signatures.

use diesel::{RunQueryDsl, pg::PgRowByRowLoadingMode};

use super::PostgresStore;
use crate::{
    domain::{BatchId, RecordId, Runs},
    store::{
        BatchRow, SignedRow, StoreError,
        sql::{
            BatchColumns, RawBatch, RawSigned, SignedColumns, Sql, Value, batch_row, bound, page, read_pages,
            row, rows, sql_limit,
        },
    },
};

/// See [`crate::store::Store::batches`].
pub(super) fn batches(
    store: &PostgresStore,
    after: BatchId,
    limit: usize,
) -> Result<Vec<BatchRow>, StoreError> {
    store.long_query(|connection| {
        let values = [Value::Integer(after.0), Value::Integer(sql_limit(limit))];
        let rows: Vec<RawBatch> = rows::<BatchesAfter, _, _>(connection, &values)?;
        Ok(rows.into_iter().map(batch_row).collect::<Result<_, _>>()?)
    })
}

/// See [`crate::store::Store::batch_of`].
pub(super) fn batch_of(store: &PostgresStore, record: RecordId) -> Result<Option<BatchRow>, StoreError> {
    store.long_query(|connection| {
        let found: Option<RawBatch> = row::<BatchOf, _, _>(connection, &[Value::Integer(record.0)])?;
        Ok(found.map(batch_row).transpose()?)
    })
}

/// See [`crate::store::Store::read_signed`].
pub(super) fn read_signed(
    store: &PostgresStore,
    records: &Runs,
    visit: &mut dyn FnMut(SignedRow<'_>),
) -> Result<(), StoreError> {
    let read = |values: &[Value<'_>]| {
        store.long_query(|connection| {
            Ok(page(
                bound::<SignedBetween>(values).load_iter::<RawSigned, PgRowByRowLoadingMode>(connection)?,
            )?)
        })
    };
    read_pages(records, read, visit)
}

macro_rules! batch_columns {
    () => {
        "SELECT id, first_record, last_record, runs, record_count, state, epoch, key_id, node_id, scheme, \
         to_char(signed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM batch "
    };
}

struct BatchesAfter;
impl Sql for BatchesAfter {
    const TEXT: &'static str = concat!(batch_columns!(), "WHERE id > ? ORDER BY id LIMIT ?");
    type Columns = BatchColumns;
}

struct BatchOf;
impl Sql for BatchOf {
    const TEXT: &'static str = concat!(
        batch_columns!(),
        "WHERE state = 'signed' AND id = (SELECT batch_id FROM signature WHERE record_id = ?)"
    );
    type Columns = BatchColumns;
}

/// What is stored, as it is: `verify` must see signatures that should not be there, too.
struct SignedBetween;
impl Sql for SignedBetween {
    const TEXT: &'static str = "SELECT record.id, convert_to(external_id, 'UTF8'), payload, batch_id, value \
         FROM record LEFT JOIN signature ON signature.record_id = record.id \
         WHERE record.id BETWEEN ? AND ? ORDER BY record.id LIMIT ?";
    type Columns = SignedColumns;
}
