//! Looking up one record, batch or key, or a page of them.

#[cfg(test)]
mod tests;

use diesel::{PgConnection, sql_types::Text};

use super::{PostgresStore, barred::barred, errors::Failure, reading::key_columns, time::time};
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

impl Lookup for PostgresStore {
    fn record(&self, name: RecordName<'_>, wanted: Wanted) -> Result<Option<RecordRow>, StoreError> {
        let found = self.lookup(|connection| one_record(connection, name, wanted))?;
        if !wanted.unsigned_batch || found.as_ref().is_none_or(|record| record.signature.is_some()) {
            return Ok(found);
        }
        // Both on one snapshot: otherwise the batch could be signed in between.
        self.lookups_at_once(|connection| {
            let Some(mut record) = one_record(connection, name, wanted)? else { return Ok(None) };
            if record.signature.is_none() {
                let values = [Value::Integer(record.id.0)];
                add_unsigned_batch(&mut record, rows::<UnsignedAround, _, _>(connection, &values)?)?;
            }
            Ok(Some(record))
        })
    }

    fn oldest_unsigned(&self) -> Result<Option<OldestUnsigned>, StoreError> {
        self.lookup(|connection| Ok(row::<Oldest, RawOldest, _>(connection, &[])?.map(OldestUnsigned::from)))
    }

    fn batch(&self, batch: BatchId) -> Result<Option<(BatchSummary, Runs)>, StoreError> {
        self.lookup(|connection| {
            let found: Option<(RawSummary, String)> =
                row::<OneBatch, _, _>(connection, &[Value::Integer(batch.0)])?;
            Ok(found.map(with_records).transpose()?)
        })
    }

    fn latest_batches(&self, page: BatchPage) -> Result<Vec<BatchSummary>, StoreError> {
        let before = page.before.map_or(i64::MAX, |batch| batch.0);
        let values = [Value::Integer(before), Value::Integer(sql_limit(page.limit))];
        self.lookup(|connection| {
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
        self.lookup(|connection| {
            let found: Option<RawKey> = row::<KeyNamed, _, _>(connection, &[Value::Text(&fingerprint)])?;
            Ok(found.map(KeyRow::try_from).transpose()?)
        })
    }

    fn key_page(&self, page: KeyPage) -> Result<Vec<KeyRow>, StoreError> {
        let state = Value::OptionalText(page.state.map(|state| state.name()));
        let limit = Value::Integer(sql_limit(page.limit));
        self.lookup(|connection| {
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
    connection: &mut PgConnection,
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
        concat!(
            "batch.id, batch.state, batch.epoch, batch.first_record, batch.last_record, batch.record_count, \
             signing_key.fingerprint, batch.node_id, node.name, batch.scheme, ",
            time!("batch.opened_at"),
            ", ",
            time!("batch.leased_at"),
            ", ",
            time!("batch.signed_at")
        )
    };
}

macro_rules! key_and_node {
    () => {
        " LEFT JOIN signing_key ON signing_key.id = batch.key_id LEFT JOIN node ON node.id = batch.node_id "
    };
}

/// `octet_length` finds the length of a payload without reading it.
macro_rules! records {
    () => {
        concat!(
            "SELECT record.id, convert_to(record.external_id, 'UTF8'), octet_length(record.payload)::bigint, \
             CASE WHEN ? <> 0 THEN record.payload END, ",
            time!("record.created_at"),
            ", signature.value, ",
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

/// The unsigned batches whose range of ids includes a record. There may be several, because records that became
/// visible late are batched later. All unsigned batches are read, which are few, and never the signed ones.
struct UnsignedAround;
impl Sql for UnsignedAround {
    const TEXT: &'static str = concat!(
        "SELECT ",
        batch_columns!(),
        ", batch.runs FROM (SELECT * FROM batch WHERE state = 'open' \
             UNION ALL SELECT * FROM batch WHERE state = 'leased' \
             UNION ALL SELECT * FROM batch WHERE state = 'lost') AS batch",
        key_and_node!(),
        "WHERE ? BETWEEN batch.first_record AND batch.last_record ORDER BY batch.id"
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
                " batch.id < ? ORDER BY batch.id DESC LIMIT ?"
            );
            type Columns = SummaryColumns;
        }
    };
}

// OFFSET 0 keeps PostgreSQL from reading the whole table backwards, which is already in the order that is asked
// for, in search of the few batches in these states.
latest!(Latest, "batch", "");
latest!(LatestOpen, "(SELECT * FROM batch WHERE state = 'open' OFFSET 0) AS batch", "");
latest!(LatestLeased, "(SELECT * FROM batch WHERE state = 'leased' OFFSET 0) AS batch", "");
latest!(LatestSigned, "batch", "batch.state = 'signed' AND");
latest!(LatestLost, "(SELECT * FROM batch WHERE state = 'lost' OFFSET 0) AS batch", "");

struct KeyNamed;
impl Sql for KeyNamed {
    const TEXT: &'static str = concat!(key_columns!(), "WHERE fingerprint = ?");
    type Columns = KeyColumns;
}

struct KeysByUse;
impl Sql for KeysByUse {
    const TEXT: &'static str = concat!(
        key_columns!(),
        "WHERE (? IS NULL OR state = ?) AND (last_leased, signing_key.id) > (?, ?) \
         ORDER BY last_leased, signing_key.id LIMIT ?"
    );
    type Columns = KeyColumns;
}

struct KeysAsAdded;
impl Sql for KeysAsAdded {
    const TEXT: &'static str = concat!(
        key_columns!(),
        "WHERE (? IS NULL OR state = ?) AND signing_key.id > ? ORDER BY signing_key.id LIMIT ?"
    );
    type Columns = KeyColumns;
}

/// Ids rise in the order in which records were added, so the lowest unsigned id is the oldest record: in an unsigned
/// batch, above the frontier, or in a gap. `+ 0` keeps PostgreSQL from looking for the minimum in the index of all
/// batches, from the first that was ever signed.
struct Oldest;
impl Sql for Oldest {
    const TEXT: &'static str = concat!(
        "SELECT id, ",
        time!("created_at"),
        ", greatest(0, extract(epoch FROM clock_timestamp() - created_at) * 1000)::bigint \
         FROM record WHERE id = least(\
             (SELECT min(first_record + 0) FROM batch WHERE state = 'open'), \
             (SELECT min(first_record + 0) FROM batch WHERE state = 'leased'), \
             (SELECT id FROM record WHERE id > coalesce((SELECT max(last_record) FROM batch), 0) \
                 ORDER BY id LIMIT 1), \
             (SELECT min(late.id) FROM gap CROSS JOIN LATERAL (SELECT id FROM record \
                 WHERE id BETWEEN gap.first_record AND gap.last_record ORDER BY id LIMIT 1) AS late))"
    );
    type Columns = OldestColumns;
}
