//! Looking up one record, batch or key, or a page of them.

#[cfg(test)]
mod tests;

use diesel::{SqliteConnection, sql_types::Text};

use super::{SqliteStore, barred::barred, errors::Failure, reading::key_columns};
use crate::{
    domain::{BatchId, BatchState, Fingerprint, RecordId, Runs},
    store::{
        BatchPage, BatchSummary, KeyOrder, KeyPage, KeyRow, Lookup, OldestUnsigned, RecordName, RecordRow,
        StoreError, Wanted,
        sql::{
            KeyColumns, OldestColumns, RawKey, RawOldest, RawRecord, RawSummary, RecordColumns, Sql,
            SummaryColumns, Value, add_unsigned_batch, record, row, rows, sql_limit, summaries, with_records,
        },
    },
};

impl Lookup for SqliteStore {
    fn record(&self, name: RecordName<'_>, wanted: Wanted) -> Result<Option<RecordRow>, StoreError> {
        let found = self.query(|connection| one_record(connection, name, wanted))?;
        if !wanted.unsigned_batch || found.as_ref().is_none_or(|record| record.signature.is_some()) {
            return Ok(found);
        }
        // Both on one snapshot: otherwise the batch could be signed in between.
        self.read(|connection| {
            let Some(mut record) = one_record(connection, name, wanted)? else { return Ok(None) };
            if record.signature.is_none() {
                let values = [Value::Integer(record.id.0)];
                add_unsigned_batch(&mut record, rows::<BatchAround, _, _>(connection, &values)?)?;
            }
            Ok(Some(record))
        })
    }

    fn oldest_unsigned(&self) -> Result<Option<OldestUnsigned>, StoreError> {
        self.query(|connection| Ok(row::<Oldest, RawOldest, _>(connection, &[])?.map(OldestUnsigned::from)))
    }

    fn batch(&self, batch: BatchId) -> Result<Option<(BatchSummary, Runs)>, StoreError> {
        self.query(|connection| {
            let found: Option<(RawSummary, String)> =
                row::<OneBatch, _, _>(connection, &[Value::Integer(batch.0)])?;
            Ok(found.map(with_records).transpose()?)
        })
    }

    fn latest_batches(&self, page: BatchPage) -> Result<Vec<BatchSummary>, StoreError> {
        let before = page.before.map_or(i64::MAX, |batch| batch.0);
        let values = [Value::Integer(before), Value::Integer(sql_limit(page.limit))];
        self.query(|connection| {
            Ok(summaries(match page.state {
                None => rows::<Latest, RawSummary, _>(connection, &values)?,
                Some(BatchState::Open) => rows::<LatestOpen, RawSummary, _>(connection, &values)?,
                Some(BatchState::Leased) => rows::<LatestLeased, RawSummary, _>(connection, &values)?,
                Some(BatchState::Signed) => rows::<LatestSigned, RawSummary, _>(connection, &values)?,
                Some(BatchState::Lost) => rows::<LatestLost, RawSummary, _>(connection, &values)?,
            })?)
        })
    }

    fn key_named(&self, fingerprint: &Fingerprint) -> Result<Option<KeyRow>, StoreError> {
        let fingerprint = fingerprint.to_string();
        self.query(|connection| {
            let found: Option<RawKey> = row::<KeyNamed, _, _>(connection, &[Value::Text(&fingerprint)])?;
            Ok(found.map(KeyRow::try_from).transpose()?)
        })
    }

    fn key_page(&self, page: KeyPage) -> Result<Vec<KeyRow>, StoreError> {
        let state = Value::OptionalText(page.state.map(|state| state.name()));
        let limit = Value::Integer(sql_limit(page.limit));
        self.query(|connection| {
            let rows: Vec<RawKey> = match page.order {
                KeyOrder::Use(after) => {
                    let (place, id) = after.map_or((-1, 0), |(place, id)| (place, id.0));
                    let values = [state, state, Value::Integer(place), Value::Integer(id), limit];
                    rows::<KeysByUse, _, _>(connection, &values)?
                }
                KeyOrder::Added(after) => {
                    let values = [state, state, Value::Integer(after.map_or(0, |id| id.0)), limit];
                    rows::<KeysAsAdded, _, _>(connection, &values)?
                }
            };
            Ok(rows.into_iter().map(KeyRow::try_from).collect::<Result<_, _>>()?)
        })
    }
}

fn one_record(
    connection: &mut SqliteConnection,
    name: RecordName<'_>,
    wanted: Wanted,
) -> Result<Option<RecordRow>, Failure> {
    let payload = Value::Integer(wanted.payload.into());
    let found: Option<(RawRecord, Option<RawSummary>)> = match name {
        RecordName::Id(RecordId(id)) => row::<RecordById, _, _>(connection, &[payload, Value::Integer(id)])?,
        RecordName::External(name) => row::<RecordByName, _, _>(connection, &[payload, Value::Text(name)])?,
    };
    Ok(found.map(record).transpose()?)
}

macro_rules! batch_columns {
    () => {
        "batch.id, batch.state, batch.epoch, batch.first_record, batch.last_record, batch.record_count, \
         signing_key.fingerprint, batch.node_id, node.name, batch.scheme, batch.opened_at, batch.leased_at, \
         batch.signed_at"
    };
}

macro_rules! key_and_node {
    () => {
        " LEFT JOIN signing_key ON signing_key.id = batch.key_id LEFT JOIN node ON node.id = batch.node_id "
    };
}

/// `octet_length` finds the length of a text or a blob without reading it.
macro_rules! records {
    () => {
        concat!(
            "SELECT record.id, CAST(record.external_id AS BLOB), octet_length(record.payload), \
             CASE WHEN ? <> 0 THEN CAST(record.payload AS BLOB) END, record.created_at, signature.value, ",
            batch_columns!(),
            " FROM record LEFT JOIN signature ON signature.record_id = record.id \
             LEFT JOIN batch ON batch.id = signature.batch_id AND batch.state = 'signed'",
            key_and_node!()
        )
    };
}

struct RecordById;
impl Sql for RecordById {
    const TEXT: &'static str = concat!(records!(), "WHERE record.id = ?");
    type Columns = RecordColumns;
}

struct RecordByName;
impl Sql for RecordByName {
    const TEXT: &'static str = concat!(records!(), "WHERE record.external_id = ?");
    type Columns = RecordColumns;
}

/// Batches do not overlap, so only the last one that begins at or before a record can have it.
struct BatchAround;
impl Sql for BatchAround {
    const TEXT: &'static str = concat!(
        "SELECT ",
        batch_columns!(),
        ", batch.runs FROM batch",
        key_and_node!(),
        "WHERE batch.first_record <= ? ORDER BY batch.first_record DESC LIMIT 1"
    );
    type Columns = (SummaryColumns, Text);
}

struct OneBatch;
impl Sql for OneBatch {
    const TEXT: &'static str = concat!(
        "SELECT ",
        batch_columns!(),
        ", batch.runs FROM batch",
        key_and_node!(),
        "WHERE batch.id = ?"
    );
    type Columns = (SummaryColumns, Text);
}

macro_rules! latest {
    ($name:ident, $table:literal, $condition:literal) => {
        struct $name;
        impl Sql for $name {
            const TEXT: &'static str = concat!(
                "SELECT ",
                batch_columns!(),
                " FROM ",
                $table,
                key_and_node!(),
                "WHERE ",
                $condition,
                " batch.id < ? ORDER BY batch.id DESC LIMIT +?"
            );
            type Columns = SummaryColumns;
        }
    };
}

// The indices are named, because SQLite would otherwise read the whole table backwards, which is already in the
// order that is asked for.
latest!(Latest, "batch", "");
latest!(LatestOpen, "batch INDEXED BY batch_open", "batch.state = 'open' AND");
latest!(LatestLeased, "batch INDEXED BY batch_one_lease_per_key", "batch.state = 'leased' AND");
latest!(LatestSigned, "batch", "batch.state = 'signed' AND");
latest!(LatestLost, "batch INDEXED BY batch_lost", "batch.state = 'lost' AND");

struct KeyNamed;
impl Sql for KeyNamed {
    const TEXT: &'static str = concat!(key_columns!(), "WHERE fingerprint = ?");
    type Columns = KeyColumns;
}

struct KeysByUse;
impl Sql for KeysByUse {
    const TEXT: &'static str = concat!(
        key_columns!(),
        "WHERE (? IS NULL OR state = ?) AND (last_leased, id) > (?, ?) ORDER BY last_leased, id LIMIT +?"
    );
    type Columns = KeyColumns;
}

struct KeysAsAdded;
impl Sql for KeysAsAdded {
    const TEXT: &'static str =
        concat!(key_columns!(), "WHERE (? IS NULL OR state = ?) AND id > ? ORDER BY id LIMIT +?");
    type Columns = KeyColumns;
}

/// Records and batches are numbered in the order in which they were added, so the lowest unsigned id is the oldest
/// record: that of the first open batch, of a leased one, or the first in no batch. A time that a user wrote into
/// `created_at`, and that is none, gives an age of 0.
struct Oldest;
impl Sql for Oldest {
    const TEXT: &'static str = "SELECT id, created_at, \
         max(0, coalesce(CAST((julianday('now') - julianday(created_at)) * 86400000 AS INTEGER), 0)) \
         FROM record WHERE id = coalesce(\
             (SELECT min(first_record) FROM (\
                 SELECT first_record FROM (SELECT first_record FROM batch WHERE state = 'open' ORDER BY id LIMIT 1) \
                 UNION ALL SELECT first_record FROM batch WHERE state = 'leased')), \
             (SELECT id FROM record WHERE id > \
                 coalesce((SELECT last_record FROM batch WHERE id = (SELECT max(id) FROM batch)), 0) \
                 ORDER BY id LIMIT 1))";
    type Columns = OldestColumns;
}
