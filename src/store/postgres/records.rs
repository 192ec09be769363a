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
        Intake, NewRecord, OnConflict, PayloadVisitor, StoreError,
        sql::{Sql, Value, bound},
    },
};

impl Intake for PostgresStore {
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
        // Not retried on another connection, because no payload may be shown twice.
        self.query_once(|connection| {
            for (first, last) in records.ranges() {
                let mut next = first.0;
                let values = [Value::Integer(first.0), Value::Integer(last.0)];
                // Row by row: payloads may be large, and a batch has many.
                let payloads = bound::<Payloads>(&values)
                    .load_iter::<(i64, Option<Vec<u8>>, Vec<u8>), PgRowByRowLoadingMode>(connection)?;
                for row in payloads {
                    let (id, external_id, payload) = row?;
                    if id != next {
                        break;
                    }
                    next += 1;
                    visit(
                        RecordId(id),
                        external_id.as_deref().map(String::from_utf8_lossy).as_deref(),
                        &payload,
                    );
                }
                if next <= last.0 {
                    return Err(StoreError::Corrupt(format!("record {next} is missing")).into());
                }
            }
            Ok(())
        })
    }
}

/// Adds records, within a transaction.
pub(super) fn add(
    connection: &mut PgConnection,
    records: &[NewRecord<'_>],
    on_conflict: OnConflict,
) -> Result<Vec<InsertVerdict>, Failure> {
    let planned = plan(connection, records, on_conflict)?;
    let is_new = |planned: &&Planned| matches!(planned, Planned::New(_));
    let new = records.iter().zip(&planned).filter(|(_, planned)| is_new(planned));
    let ids = insert_all(connection, new.map(|(record, _)| record))?;
    if ids.len() != planned.iter().filter(is_new).count() {
        return Err(Failure::Collided("another process added a record of the same name".to_owned()));
    }
    Ok(planned.iter().map(|planned| planned.verdict(&ids)).collect())
}

/// What is known of a record before anything is inserted.
enum Planned {
    /// It is inserted, as the n-th, from 0.
    New(usize),
    /// It is stored already.
    There(RecordId),
    /// The n-th that is inserted is the same.
    Repeats(usize),
    /// Its name belongs to another payload.
    Conflict,
}

impl Planned {
    /// The verdict, when the new records have these ids.
    fn verdict(&self, new: &[i64]) -> InsertVerdict {
        match *self {
            Self::New(nth) => InsertVerdict::Inserted(RecordId(new[nth])),
            Self::There(id) => InsertVerdict::AlreadyThere(id),
            Self::Repeats(nth) => InsertVerdict::AlreadyThere(RecordId(new[nth])),
            Self::Conflict => InsertVerdict::Conflict,
        }
    }
}

/// Decides for each record what becomes of it, up to the first conflict if that is the end.
fn plan(
    connection: &mut PgConnection,
    records: &[NewRecord<'_>],
    on_conflict: OnConflict,
) -> Result<Vec<Planned>, Failure> {
    let stored = find_stored(connection, records)?;
    let mut given: HashMap<&str, (usize, &[u8])> = HashMap::new();
    let (mut planned, mut new) = (Vec::with_capacity(records.len()), 0);
    for (place, record) in (1..).zip(records) {
        let known = match (stored.get(&place), record.external_id) {
            (Some((id, is_same)), _) => Some((Planned::There(*id), *is_same)),
            (None, Some(name)) => match given.entry(name) {
                Entry::Occupied(first) => {
                    let (nth, payload) = *first.get();
                    Some((Planned::Repeats(nth), payload == record.payload))
                }
                Entry::Vacant(free) => {
                    free.insert((new, record.payload));
                    None
                }
            },
            (None, None) => None,
        };
        planned.push(match known {
            None => Planned::New(new),
            Some((there, true)) => there,
            Some((_, false)) => Planned::Conflict,
        });
        match planned.last() {
            Some(Planned::New(_)) => new += 1,
            Some(Planned::Conflict) if on_conflict == OnConflict::Stop => break,
            _ => {}
        }
    }
    Ok(planned)
}

/// Which of the records, by place, have the name of one that is stored: its id, and whether its payload is the
/// same.
fn find_stored(
    connection: &mut PgConnection,
    records: &[NewRecord<'_>],
) -> Result<HashMap<i64, (RecordId, bool)>, Failure> {
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
    Ok(found.into_iter().map(|found| (found.place, (RecordId(found.id), found.same))).collect())
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

const FIND_NAMED: &str = "SELECT given.place, record.id, record.payload = given.payload AS same \
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
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Bool)]
    same: bool,
}

struct Payloads;
impl Sql for Payloads {
    const TEXT: &'static str = "SELECT id, convert_to(external_id, 'UTF8'), payload FROM record \
         WHERE id BETWEEN ? AND ? ORDER BY id";
    type Columns = (BigInt, Nullable<Binary>, Binary);
}
