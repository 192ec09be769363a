//! Accepting that the database lacks what was signed.

use diesel::{SqliteConnection, sql_types::BigInt};

use super::{
    SqliteStore,
    audit_log::InsertAudit,
    batches::{ids_between, insert_batch},
    errors::Failure,
    ledger,
    migrations::refuse_living,
    records::now,
};
use crate::{
    anchors::IntendedBatch,
    domain::{
        Action, BatchId, By, RecordId, Runs,
        ledger::{Origin, Restored},
    },
    store::{
        AcceptVerdict, Acceptance, Restores, StoreError,
        sql::{
            Change, HighestBatch, Lost, RestoreEntries, Sql, Value, end_of, execute, expect_rows,
            highest_record, insert_lost, last_id_after, lose, note, row, rows,
        },
    },
};

impl Restores for SqliteStore {
    fn accept(&self, acceptance: Acceptance<'_>, by: &By) -> Result<AcceptVerdict, StoreError> {
        let loss = acceptance.loss;
        // What if we die here? The loss is accepted as a whole, or not at all.
        self.write(|connection| {
            let mut ledger = ledger::read(connection)?;
            if (ledger.origin(), ledger.head()) != (loss.origin, loss.kept) {
                return Ok(AcceptVerdict::Changed);
            }
            refuse_living(connection, &self.path)?;
            let now = now(connection)?;
            ledger.restore(acceptance, &now)?;
            ledger::begin_incarnation(connection, &ledger)?;
            let highest: i64 = row::<HighestBatch, _, _>(connection, &[])?.unwrap_or_default();
            let lost = match acceptance.signs_again {
                true => Lost::default(),
                false => lose(connection, loss, highest, fill)?,
            };
            let used: i64 = row::<HighestId, _, _>(connection, &[])?.unwrap_or_default();
            let last_id = last_id_after(used.max(highest_record(loss)))?;
            raise_ids(connection, last_id)?;
            execute::<RenameFeed, _>(connection, &[])?;
            let (object, before) = (ledger.origin().to_string(), loss.origin.to_string());
            let change = Change {
                action: Action::AcceptRestore,
                object: &object,
                before: Some(&before),
                after: Some(acceptance.reason.as_str()),
            };
            note::<InsertAudit, _, Failure>(connection, by, &change)?;
            Ok(lost.accepted(ledger.origin(), RecordId(last_id)))
        })
    }

    fn end_of(&self, incarnation: Origin) -> Result<Option<Restored>, StoreError> {
        self.query(|connection| Ok(end_of(rows::<RestoreEntries, _, _>(connection, &[])?, incarnation)?))
    }
}

/// Gives a batch to each id behind `highest` and before that of `next`, because batches are numbered without gaps. They were
/// formed there once, of records between, and not signed. Those that are still there are formed again.
fn fill(connection: &mut SqliteConnection, highest: i64, next: &IntendedBatch) -> Result<(), Failure> {
    let frontier: i64 = row::<Frontier, _, _>(connection, &[])?.unwrap_or_default();
    let (mut first, end) = (frontier + 1, next.records.first().map_or(0, |id| id.0));
    let batches = next.id.0 - highest - 1;
    for nth in 0..batches {
        // Equal parts of the ids: each batch had one record at least.
        let last = first + (end - first) / (batches - nth) - 1;
        let ids = ids_between(connection, first, last)?;
        if ids.is_empty() {
            let records: Runs = (first..=last).map(RecordId).collect();
            let absent = records.len();
            insert_lost::<_, Failure>(connection, BatchId(highest + 1 + nth), &records, absent, (0, None))?;
        } else {
            insert_batch(connection, &ids.into_iter().map(RecordId).collect())?;
        }
        first = last + 1;
    }
    match ids_between(connection, first, end - 1)?.first() {
        Some(id) => Err(Failure(StoreError::Refused(format!(
            "record {id} was added after the database had been put back: put the same backup back again"
        )))),
        None => Ok(()),
    }
}

fn raise_ids(connection: &mut SqliteConnection, last: i64) -> Result<(), Failure> {
    if execute::<RaiseIds, _>(connection, &[Value::Integer(last)])? == 0 {
        let begun = execute::<BeginIds, _>(connection, &[Value::Integer(last)])?;
        expect_rows("raising the ids of records", 1, begun)?;
    }
    Ok(())
}

struct Frontier;
impl Sql for Frontier {
    const TEXT: &'static str = "SELECT last_record FROM batch ORDER BY id DESC LIMIT 1";
    type Columns = BigInt;
}

/// The highest id that a record has or had.
struct HighestId;
impl Sql for HighestId {
    const TEXT: &'static str = "SELECT max(coalesce((SELECT max(id) FROM record), 0), \
         coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'record'), 0))";
    type Columns = BigInt;
}

struct RaiseIds;
impl Sql for RaiseIds {
    const TEXT: &'static str = "UPDATE sqlite_sequence SET seq = ? WHERE name = 'record'";
    type Columns = ();
}

/// There is no row before the first record.
struct BeginIds;
impl Sql for BeginIds {
    const TEXT: &'static str = "INSERT INTO sqlite_sequence (name, seq) VALUES ('record', ?)";
    type Columns = ();
}

struct RenameFeed;
impl Sql for RenameFeed {
    const TEXT: &'static str = "UPDATE feed_identity SET id = lower(hex(randomblob(6)))";
    type Columns = ();
}
