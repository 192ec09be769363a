//! Records: adding them, and reading what is to be signed.

use std::collections::{HashMap, hash_map::Entry};

use diesel::{
    PgConnection, RunQueryDsl,
    pg::PgRowByRowLoadingMode,
    sql_query,
    sql_types::{Array, BigInt, Binary, Bool, Nullable, Text},
};

use super::{PostgresStore, errors::Failure, limit::payload_limit};
use crate::{
    domain::{InsertVerdict, RecordId, Runs},
    store::{
        Intake, NewRecord, StoreError,
        sql::{Sql, Value, bound},
    },
};

impl Intake for PostgresStore {
    fn insert_records(&self, records: &[NewRecord<'_>]) -> Result<Vec<InsertVerdict>, StoreError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        // What if we die here? All are stored or none is; a caller that names its records by external_id
        // adds them again, and those that are there are skipped.
        self.write(|connection| {
            let mut verdicts = plan(connection, records)?;
            let new: Vec<_> =
                records.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none()).collect();
            let ids = insert_all(connection, new.iter().map(|(record, _)| *record))?;
            if ids.len() != new.len() {
                return Err(Failure::Collided("another process added a record of the same name".to_owned()));
            }
            let mut ids = ids.into_iter().map(|id| InsertVerdict::Inserted(RecordId(id)));
            Ok(verdicts.iter_mut().filter_map(|verdict| verdict.take().or_else(|| ids.next())).collect())
        })
    }

    fn payload_limit(&self) -> Result<u32, StoreError> {
        self.query(payload_limit)
    }

    fn read_payloads(
        &self,
        records: &Runs,
        visit: &mut dyn FnMut(RecordId, &[u8]),
    ) -> Result<(), StoreError> {
        // Not retried on another connection, because no payload may be shown twice.
        self.query_once(|connection| {
            for (first, last) in records.ranges() {
                let mut next = first.0;
                let values = [Value::Integer(first.0), Value::Integer(last.0)];
                // Row by row: payloads may be large, and a batch has many.
                let payloads = bound::<Payloads>(&values)
                    .load_iter::<(i64, Vec<u8>), PgRowByRowLoadingMode>(connection)?;
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
}

/// The verdicts that are known before anything is inserted, up to the first conflict; `None` for a new record.
fn plan(
    connection: &mut PgConnection,
    records: &[NewRecord<'_>],
) -> Result<Vec<Option<InsertVerdict>>, Failure> {
    let stored = find_stored(connection, records)?;
    let mut given: HashMap<&str, &[u8]> = HashMap::new();
    let mut verdicts = Vec::with_capacity(records.len());
    for (place, record) in (1..).zip(records) {
        let is_same = stored.get(&place).copied().or_else(|| match given.entry(record.external_id?) {
            Entry::Occupied(first) => Some(*first.get() == record.payload),
            Entry::Vacant(free) => {
                free.insert(record.payload);
                None
            }
        });
        verdicts.push(is_same.map(|is_same| match is_same {
            true => InsertVerdict::AlreadyThere,
            false => InsertVerdict::Conflict,
        }));
        if is_same == Some(false) {
            break;
        }
    }
    Ok(verdicts)
}

/// Which of the records, by place, have the name of one that is stored: whether its payload is the same.
fn find_stored(
    connection: &mut PgConnection,
    records: &[NewRecord<'_>],
) -> Result<HashMap<i64, bool>, Failure> {
    let named = (1..).zip(records).filter_map(|(place, record)| Some((place, record.external_id?, record)));
    let (mut places, mut names, mut payloads): (Vec<i64>, Vec<_>, Vec<_>) = Default::default();
    for (place, name, record) in named {
        places.push(place);
        names.push(name);
        payloads.push(record.payload);
    }
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<Found> = sql_query(FIND_NAMED)
        .bind::<Array<BigInt>, _>(places)
        .bind::<Array<Text>, _>(names)
        .bind::<Array<Binary>, _>(payloads)
        .load(connection)?;
    Ok(found.into_iter().map(|found| (found.place, found.same)).collect())
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

/// Inserts in the order given, so that ids rise in that order.
const INSERT: &str = "INSERT INTO record (external_id, payload) SELECT external_id, payload \
     FROM unnest($1, $2) WITH ORDINALITY AS given (external_id, payload, place) ORDER BY place \
     ON CONFLICT (external_id) DO NOTHING RETURNING id";

const FIND_NAMED: &str = "SELECT given.place, record.payload = given.payload AS same \
     FROM unnest($1, $2, $3) AS given (place, external_id, payload) JOIN record USING (external_id)";

#[derive(diesel::QueryableByName)]
struct Inserted {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[derive(diesel::QueryableByName)]
struct Found {
    #[diesel(sql_type = BigInt)]
    place: i64,
    #[diesel(sql_type = Bool)]
    same: bool,
}

struct Payloads;
impl Sql for Payloads {
    const TEXT: &'static str = "SELECT id, payload FROM record WHERE id BETWEEN ? AND ? ORDER BY id";
    type Columns = (BigInt, Binary);
}
