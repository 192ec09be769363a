//! Records: adding them, and reading what is to be signed.

use std::collections::{HashMap, hash_map::Entry};

use diesel::{
    PgConnection, RunQueryDsl,
    pg::PgRowByRowLoadingMode,
    sql_query,
    sql_types::{Array, BigInt, Binary, Bool, Nullable, Text},
};

use super::{PostgresStore, errors::Failure};
use crate::{
    domain::{InsertVerdict, RecordId, Runs},
    store::{
        NewRecord, StoreError,
        sql::{Sql, Value, bound},
    },
};

/// See [`crate::store::Store::insert_records`].
pub(super) fn insert(
    store: &PostgresStore,
    records: &[NewRecord<'_>],
) -> Result<Vec<InsertVerdict>, StoreError> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    // What if we die here? All are stored or none is; a caller that names its records by external_id
    // adds them again, and those that are there are skipped.
    store.write(|connection| {
        let mut verdicts = plan(connection, records)?;
        let new: Vec<_> = records.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none()).collect();
        let ids = insert_all(connection, new.iter().map(|(record, _)| *record))?;
        if ids.len() != new.len() {
            return Err(Failure::Collided("another process added a record of the same name".to_owned()));
        }
        let mut ids = ids.into_iter().map(|id| InsertVerdict::Inserted(RecordId(id)));
        Ok(verdicts.iter_mut().filter_map(|verdict| verdict.take().or_else(|| ids.next())).collect())
    })
}

/// What is known before anything is inserted: `None` for a record that is new. It ends with the first
/// conflict.
fn plan(
    connection: &mut PgConnection,
    records: &[NewRecord<'_>],
) -> Result<Vec<Option<InsertVerdict>>, Failure> {
    let named: Vec<_> =
        records.iter().filter_map(|record| record.external_id.zip(Some(record.payload))).collect();
    let mut same: HashMap<String, bool> = HashMap::new();
    if !named.is_empty() {
        let (names, payloads): (Vec<_>, Vec<_>) = named.into_iter().unzip();
        let found: Vec<Found> = sql_query(FIND_NAMED)
            .bind::<Array<Text>, _>(names)
            .bind::<Array<Binary>, _>(payloads)
            .load(connection)?;
        // A name that is given twice is compared with what the first of them becomes.
        found.into_iter().for_each(|found| *same.entry(found.external_id).or_insert(true) &= found.same);
    }
    let mut given: HashMap<&str, &[u8]> = HashMap::new();
    let mut verdicts = Vec::with_capacity(records.len());
    for record in records {
        let verdict = match record.external_id {
            None => None,
            Some(name) => match (given.entry(name), same.get(name)) {
                (Entry::Occupied(first), _) if *first.get() == record.payload => {
                    Some(InsertVerdict::AlreadyThere)
                }
                (Entry::Occupied(_), _) | (_, Some(false)) => Some(InsertVerdict::Conflict),
                (Entry::Vacant(place), stored) => {
                    place.insert(record.payload);
                    stored.map(|_| InsertVerdict::AlreadyThere)
                }
            },
        };
        verdicts.push(verdict);
        if verdict == Some(InsertVerdict::Conflict) {
            break;
        }
    }
    Ok(verdicts)
}

fn insert_all<'a>(
    connection: &mut PgConnection,
    records: impl Iterator<Item = &'a NewRecord<'a>>,
) -> Result<Vec<i64>, Failure> {
    let (names, payloads): (Vec<_>, Vec<_>) =
        records.map(|record| (record.external_id, record.payload)).unzip();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let inserted: Vec<Inserted> = sql_query(INSERT)
        .bind::<Array<Nullable<Text>>, _>(names)
        .bind::<Array<Binary>, _>(payloads)
        .load(connection)?;
    Ok(inserted.into_iter().map(|row| row.id).collect())
}

/// In the order given, so that ids rise with it.
const INSERT: &str = "INSERT INTO record (external_id, payload) SELECT external_id, payload \
     FROM unnest($1, $2) WITH ORDINALITY AS given (external_id, payload, place) ORDER BY place \
     ON CONFLICT (external_id) DO NOTHING RETURNING id";

const FIND_NAMED: &str = "SELECT record.external_id, record.payload = given.payload AS same \
     FROM unnest($1, $2) AS given (external_id, payload) JOIN record USING (external_id)";

#[derive(diesel::QueryableByName)]
struct Inserted {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[derive(diesel::QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    external_id: String,
    #[diesel(sql_type = Bool)]
    same: bool,
}

/// See [`crate::store::Store::read_payloads`].
pub(super) fn read_payloads(
    store: &PostgresStore,
    records: &Runs,
    visit: &mut dyn FnMut(RecordId, &[u8]),
) -> Result<(), StoreError> {
    // Not tried again on another connection: what was shown once is not shown twice.
    store.query_once(|connection| {
        for (first, last) in records.ranges() {
            let mut next = first.0;
            let values = [Value::Integer(first.0), Value::Integer(last.0)];
            // Row by row: payloads may be large, and a batch has many.
            let payloads =
                bound::<Payloads>(&values).load_iter::<(i64, Vec<u8>), PgRowByRowLoadingMode>(connection)?;
            for row in payloads {
                let (id, payload) = row?;
                if id != next {
                    break;
                }
                next += 1;
                visit(RecordId(id), &payload);
            }
            if next <= last.0 {
                return Err(StoreError::Corrupt(format!("record {next} is missing")).into());
            }
        }
        Ok(())
    })
}

struct Payloads;
impl Sql for Payloads {
    const TEXT: &'static str = "SELECT id, payload FROM record WHERE id BETWEEN ? AND ? ORDER BY id";
    type Columns = (BigInt, Binary);
}
