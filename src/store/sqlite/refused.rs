//! What arrives from a broker, and what of it became no record.

use diesel::{SqliteConnection, sql_types::BigInt};

use super::{SqliteStore, audit_log::InsertAudit, errors::Failure, records::add};
use crate::{
    domain::{ArrivalVerdict, By, InsertVerdict, RefusedId, RetryVerdict},
    store::{
        Arrival, Arrivals, NewRecord, OnConflict, RefusedRow, RetryName, StoreError,
        sql::{
            RawRefused, RefusedColumns, RefusedPayload, RetryColumns, Sql, Value, drop_refused, retry, row,
            rows, sql_limit, store_arrivals,
        },
    },
};

impl Arrivals for SqliteStore {
    fn insert_arrivals(
        &self,
        source: &str,
        arrivals: &[Arrival<'_>],
    ) -> Result<Vec<ArrivalVerdict>, StoreError> {
        if arrivals.is_empty() {
            return Ok(Vec::new());
        }
        // What if we die here? All of them are stored, records and refusals, or none is. None was acknowledged, so they
        // arrive again, and what is there is not added twice.
        self.write(|connection| store_arrivals(connection, source, arrivals, add_new))
    }

    fn refused(&self, after: RefusedId, limit: usize) -> Result<Vec<RefusedRow>, StoreError> {
        let values = [Value::Integer(after.0), Value::Integer(sql_limit(limit))];
        self.query(|connection| {
            let rows: Vec<RawRefused> = rows::<RefusedAfter, _, _>(connection, &values)?;
            Ok(rows.into_iter().map(RefusedRow::try_from).collect::<Result<_, _>>()?)
        })
    }

    fn refused_payload(&self, id: RefusedId) -> Result<Option<Vec<u8>>, StoreError> {
        self.query(|connection| Ok(row::<RefusedPayload, _, _>(connection, &[Value::Integer(id.0)])?))
    }

    fn retry_refused(&self, id: RefusedId, name: RetryName<'_>, by: &By) -> Result<RetryVerdict, StoreError> {
        // What if we die here? The message is a record and refused no more, and the log says so, or none of it.
        self.write(|connection| retry::<ForRetry, InsertAudit, _, _>(connection, id, name, add_new, by))
    }

    fn drop_refused(&self, id: RefusedId, by: &By) -> Result<bool, StoreError> {
        // What if we die here? The message is gone and the log says so, or neither.
        self.write(|connection| drop_refused::<ForRetry, InsertAudit, _, _>(connection, id, by))
    }
}

/// A name that belongs to another payload does not stop the rest.
fn add_new(
    connection: &mut SqliteConnection,
    records: &[NewRecord<'_>],
) -> Result<Vec<InsertVerdict>, Failure> {
    add(connection, records, OnConflict::Continue)
}

struct RefusedAfter;
impl Sql for RefusedAfter {
    const TEXT: &'static str = "SELECT id, source, external_id, length(payload), size, reason, detail, tries, at \
         FROM refused WHERE id > ? ORDER BY id LIMIT +?";
    type Columns = RefusedColumns;
}

struct ForRetry;
impl Sql for ForRetry {
    const TEXT: &'static str =
        "SELECT id, source, external_id, payload, size, reason FROM refused WHERE id = ?";
    type Columns = RetryColumns;
}

/// How many refused messages there are, counted up to a limit.
pub(super) struct CountRefused;
impl Sql for CountRefused {
    const TEXT: &'static str = "SELECT count(*) FROM (SELECT id FROM refused LIMIT +?) AS counted";
    type Columns = BigInt;
}
