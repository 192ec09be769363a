//! Records: adding them, and reading what is to be signed.

use std::ops::ControlFlow;

use diesel::{
    QueryResult, SqliteConnection,
    connection::{DefaultLoadingMode, LoadConnection},
    row::{Field, Row},
    sql_types::{BigInt, Binary, Nullable, Text},
    sqlite::Sqlite,
};

use super::{SqliteStore, errors::Failure, limit::payload_limit};
use crate::{
    domain::{InsertVerdict, RecordId, Runs},
    store::{
        Intake, NewRecord, OnConflict, PayloadVisitor, StoreError,
        sql::{Sql, Value, bound, row},
    },
};

impl Intake for SqliteStore {
    fn insert_records(
        &self,
        records: &[NewRecord<'_>],
        on_conflict: OnConflict,
    ) -> Result<Vec<InsertVerdict>, StoreError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        // What if we die here? All are stored or none is; a caller that names its records by external_id
        // adds them again, and those that are there are skipped.
        self.write(|connection| add(connection, records, on_conflict))
    }

    fn payload_limit(&self) -> Result<u32, StoreError> {
        self.query(payload_limit)
    }

    fn read_payloads(&self, records: &Runs, visit: PayloadVisitor<'_>) -> Result<(), StoreError> {
        self.read(|connection| {
            for (first, last) in records.ranges() {
                let mut next = first.0;
                each_payload(
                    connection,
                    &[Value::Integer(first.0), Value::Integer(last.0)],
                    |id, external_id, payload| {
                        if id != next {
                            return ControlFlow::Break(());
                        }
                        next += 1;
                        visit(RecordId(id), external_id, payload);
                        ControlFlow::Continue(())
                    },
                )?;
                if next <= last.0 {
                    return Err(Failure(StoreError::Corrupt(format!("record {next} is missing"))));
                }
            }
            Ok(())
        })
    }
}

/// The time, as the database has it in its texts.
pub(super) fn now(connection: &mut SqliteConnection) -> Result<String, Failure> {
    Ok(row::<Now, _, _>(connection, &[])?.unwrap_or_default())
}

/// Adds records, within a transaction.
pub(super) fn add(
    connection: &mut SqliteConnection,
    records: &[NewRecord<'_>],
    on_conflict: OnConflict,
) -> Result<Vec<InsertVerdict>, Failure> {
    let now = now(connection)?;
    let mut verdicts = Vec::with_capacity(records.len());
    for record in records {
        verdicts.push(insert_one(connection, record, &now)?);
        if on_conflict == OnConflict::Stop && verdicts.last() == Some(&InsertVerdict::Conflict) {
            break;
        }
    }
    Ok(verdicts)
}

/// The trigger `record_no_replace` skips a record that exists, and refuses another one with its name.
fn insert_one(
    connection: &mut SqliteConnection,
    record: &NewRecord<'_>,
    now: &str,
) -> Result<InsertVerdict, Failure> {
    let values = [Value::OptionalText(record.external_id), Value::Blob(record.payload), Value::Text(now)];
    match row::<InsertRecord, i64, _>(connection, &values) {
        Ok(Some(id)) => Ok(InsertVerdict::Inserted(RecordId(id))),
        Ok(None) => match named(connection, record)? {
            Some(there) => Ok(InsertVerdict::AlreadyThere(there)),
            None => Err(Failure(StoreError::Corrupt("a record was skipped that is not there".to_owned()))),
        },
        Err(error) => {
            let failure = Failure::from(error);
            let is_conflict =
                matches!(failure.0, StoreError::Refused(_)) && named(connection, record)?.is_some();
            if is_conflict { Ok(InsertVerdict::Conflict) } else { Err(failure) }
        }
    }
}

/// The stored record with the same name.
fn named(connection: &mut SqliteConnection, record: &NewRecord<'_>) -> Result<Option<RecordId>, Failure> {
    let Some(name) = record.external_id else { return Ok(None) };
    Ok(row::<Named, i64, _>(connection, &[Value::Text(name)])?.map(RecordId))
}

/// Shows records one by one and without copying the bytes, until the visitor says stop.
fn each_payload(
    connection: &mut SqliteConnection,
    values: &[Value<'_>],
    mut visit: impl FnMut(i64, Option<&str>, &[u8]) -> ControlFlow<()>,
) -> QueryResult<()> {
    for row in LoadConnection::<DefaultLoadingMode>::load(connection, bound::<Payloads>(values))? {
        let row = row?;
        let [Some(id), Some(name), Some(bytes)] = [0, 1, 2].map(|field| Row::<Sqlite>::get(&row, field))
        else {
            break;
        };
        let (Some(mut id), Some(mut bytes)) = (id.value(), bytes.value()) else { break };
        let mut name = name.value();
        let name = name.as_mut().map(|name| String::from_utf8_lossy(name.read_blob()));
        if visit(id.read_long(), name.as_deref(), bytes.read_blob()).is_break() {
            break;
        }
    }
    Ok(())
}

struct Now;
impl Sql for Now {
    const TEXT: &'static str = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
    type Columns = Text;
}

struct InsertRecord;
impl Sql for InsertRecord {
    const TEXT: &'static str =
        "INSERT INTO record (external_id, payload, created_at) VALUES (?, ?, ?) RETURNING id";
    type Columns = BigInt;
}

struct Named;
impl Sql for Named {
    const TEXT: &'static str = "SELECT id FROM record WHERE external_id = ?";
    type Columns = BigInt;
}

struct Payloads;
impl Sql for Payloads {
    const TEXT: &'static str = "SELECT id, CAST(external_id AS BLOB), CAST(payload AS BLOB) FROM record \
         WHERE id BETWEEN ? AND ? ORDER BY id";
    type Columns = (BigInt, Nullable<Binary>, Binary);
}
