//! Reading keys, batches and signatures.

use diesel::{RunQueryDsl, pg::PgRowByRowLoadingMode};

use super::{PostgresStore, barred::barred, status::status, time::time};
use crate::{
    anchors::Anchors,
    domain::{BatchId, KeyId, RecordId, Runs},
    store::{
        BatchRow, KeyRow, Reading, SignedRow, Status, StoreError,
        sql::{
            BatchColumns, Certificates, KeyColumns, RawBatch, RawKey, RawSigned, SignedColumns, Sql, Value,
            bound, page, read_pages, row, rows, sql_limit,
        },
    },
};

impl Reading for PostgresStore {
    fn status(&self) -> Result<Status, StoreError> {
        let status = self.read(status)?;
        Ok(Status { anchored: self.anchors.as_deref().and_then(Anchors::reach), ..status })
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.query(|connection| {
            let rows: Vec<RawKey> = rows::<AllKeys, _, _>(connection, &[])?;
            Ok(rows.into_iter().map(KeyRow::try_from).collect::<Result<_, _>>()?)
        })
    }

    fn key(&self, key: KeyId) -> Result<Option<KeyRow>, StoreError> {
        self.query(|connection| {
            let found: Option<RawKey> = row::<OneKey, _, _>(connection, &[Value::Integer(key.0)])?;
            Ok(found.map(KeyRow::try_from).transpose()?)
        })
    }

    fn certificates(&self, key: Option<KeyId>) -> Result<Vec<(KeyId, Vec<u8>)>, StoreError> {
        self.query(|connection| {
            let only = [Value::OptionalInteger(key.map(|key| key.0))];
            let rows: Vec<(i64, Vec<u8>)> = rows::<Certificates, _, _>(connection, &only)?;
            Ok(rows.into_iter().map(|(id, chain)| (KeyId(id), chain)).collect())
        })
    }

    fn batches(&self, after: BatchId, limit: usize) -> Result<Vec<BatchRow>, StoreError> {
        self.long_query(|connection| {
            let values = [Value::Integer(after.0), Value::Integer(sql_limit(limit))];
            let rows: Vec<RawBatch> = rows::<BatchesAfter, _, _>(connection, &values)?;
            Ok(rows.into_iter().map(BatchRow::try_from).collect::<Result<_, _>>()?)
        })
    }

    fn batch_of(&self, record: RecordId) -> Result<Option<BatchRow>, StoreError> {
        self.long_query(|connection| {
            let found: Option<RawBatch> = row::<BatchOf, _, _>(connection, &[Value::Integer(record.0)])?;
            Ok(found.map(BatchRow::try_from).transpose()?)
        })
    }

    fn read_signed(&self, records: &Runs, visit: &mut dyn FnMut(SignedRow<'_>)) -> Result<(), StoreError> {
        let read = |&[first, last, limit]: &[Value<'_>; 3]| {
            self.long_query(|connection| {
                Ok(page(
                    bound::<SignedBetween>(&[first, last, first, last, limit])
                        .load_iter::<RawSigned, PgRowByRowLoadingMode>(connection)?,
                )?)
            })
        };
        read_pages(records, read, visit)
    }
}

macro_rules! key_columns {
    () => {
        concat!(
            "SELECT id, fingerprint, public_key, bits, custody, state, state_reason, max_signatures, ",
            time!("not_before"),
            ", ",
            time!("not_after"),
            ", ",
            barred!(),
            ", (SELECT batch.id FROM batch WHERE batch.key_id = signing_key.id AND batch.state = 'leased'), \
             last_leased, signature_count, ",
            time!("created_at"),
            " FROM signing_key "
        )
    };
}

pub(super) use key_columns;

struct AllKeys;
impl Sql for AllKeys {
    const TEXT: &'static str = concat!(key_columns!(), "ORDER BY signing_key.id");
    type Columns = KeyColumns;
}

struct OneKey;
impl Sql for OneKey {
    const TEXT: &'static str = concat!(key_columns!(), "WHERE id = ?");
    type Columns = KeyColumns;
}

macro_rules! batch_columns {
    () => {
        concat!(
            "SELECT id, first_record, last_record, runs, record_count, state, epoch, key_id, node_id, scheme, ",
            time!("signed_at"),
            " FROM batch "
        )
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

/// Reads everything that is stored, because `verify` must see signatures that should not be there, too. The range is given for
/// both tables: the planner does not pass it on, and a join that was planned while there were few signatures would go on to
/// read all of them.
pub(super) struct SignedBetween;
impl Sql for SignedBetween {
    const TEXT: &'static str = "SELECT record.id, convert_to(external_id, 'UTF8'), payload, batch_id, value \
         FROM record LEFT JOIN signature ON signature.record_id = record.id AND signature.record_id BETWEEN ? AND ? \
         WHERE record.id BETWEEN ? AND ? ORDER BY record.id LIMIT ?";
    type Columns = SignedColumns;
}
