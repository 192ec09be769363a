//! Forming batches out of the records above the frontier.

use diesel::{Queryable, SqliteConnection, sql_types::BigInt};

use super::{SqliteStore, errors::Failure};
use crate::{
    domain::{RecordId, Runs},
    store::{
        Batching, OpenBatches, OpenedBatches, StoreError,
        sql::{Sql, Value, execute, expect_rows, row, rows, sql_limit},
    },
};

/// How many ids are read at a time, unless one batch is larger.
const IDS_AT_A_TIME: usize = 8192;

impl Batching for SqliteStore {
    fn open_batches(&self, request: OpenBatches) -> Result<OpenedBatches, StoreError> {
        // This takes no write lock, because a poll that finds nothing to do must not block other processes.
        let (survey, available) = self.read(|connection| {
            let survey = survey(connection)?;
            let enough =
                if request.partial || survey.open >= request.keep_open { 1 } else { request.batch_size };
            Ok((survey, records_above(connection, survey.frontier, enough)?))
        })?;
        if survey.open >= request.keep_open
            || available == 0
            || (available < request.batch_size && !request.partial)
        {
            let waiting = (available > 0).then_some(available);
            let Survey { open, leased, frontier, .. } = survey;
            let waiting_at_most = survey.above(frontier);
            return Ok(OpenedBatches { opened: 0, open, leased, waiting, waiting_at_most });
        }
        // What if we die here? Forming batches is one transaction: either the batches exist and are open, or
        // they do not exist and the next call forms them.
        self.write_unsynced(|connection| form(connection, request))
    }
}

/// Reads the ids within the transaction. Before it begins, another process may still insert an id of its choice
/// above the frontier, but never below it.
fn form(connection: &mut SqliteConnection, request: OpenBatches) -> Result<OpenedBatches, Failure> {
    let survey = survey(connection)?;
    let Survey { open, leased, mut frontier, .. } = survey;
    let batch_size = request.batch_size.max(1);
    let mut result = OpenedBatches { open, leased, ..OpenedBatches::default() };
    while result.open < request.keep_open {
        let batches = (request.keep_open - result.open).min((IDS_AT_A_TIME / batch_size).max(1));
        let ids = ids_above(connection, frontier, batches.saturating_mul(batch_size))?;
        for ids in ids.chunks(batch_size) {
            if ids.len() < batch_size && !request.partial {
                let waiting_at_most = survey.above(frontier);
                return Ok(OpenedBatches { waiting: Some(ids.len()), waiting_at_most, ..result });
            }
            frontier = insert_batch(connection, &ids.iter().copied().map(RecordId).collect())?.0;
            result.opened += 1;
            result.open += 1;
        }
        if ids.len() < batches * batch_size {
            return Ok(result);
        }
    }
    let waiting = records_above(connection, frontier, 1)?;
    let waiting_at_most = survey.above(frontier);
    Ok(OpenedBatches { waiting: (waiting > 0).then_some(waiting), waiting_at_most, ..result })
}

/// Stores one batch and returns the new frontier.
pub(super) fn insert_batch(connection: &mut SqliteConnection, runs: &Runs) -> Result<RecordId, Failure> {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
        return Err(Failure(StoreError::Corrupt("a batch without records".to_owned())));
    };
    let values = [
        Value::Integer(first.0),
        Value::Integer(last.0),
        Value::Text(&runs.to_string()),
        Value::Integer(runs.len() as i64),
    ];
    expect_rows("forming a batch", 1, execute::<InsertBatch, _>(connection, &values)?)?;
    Ok(last)
}

/// The records from one id to another.
pub(super) fn ids_between(
    connection: &mut SqliteConnection,
    first: i64,
    last: i64,
) -> Result<Vec<i64>, Failure> {
    Ok(rows::<IdsBetween, _, _>(connection, &[Value::Integer(first), Value::Integer(last)])?)
}

#[derive(Clone, Copy, Default, Queryable)]
struct Survey {
    #[diesel(deserialize_as = i64)]
    open: usize,
    #[diesel(deserialize_as = i64)]
    leased: usize,
    /// The highest id in any batch.
    frontier: i64,
    /// The highest id of a record.
    highest: i64,
}

impl Survey {
    fn above(self, frontier: i64) -> u64 {
        u64::try_from(self.highest.saturating_sub(frontier)).unwrap_or(0)
    }
}

fn survey(connection: &mut SqliteConnection) -> Result<Survey, Failure> {
    Ok(row::<SurveyBatches, _, _>(connection, &[])?.unwrap_or_default())
}

/// How many records there are above `frontier`, counted up to `limit`.
fn records_above(connection: &mut SqliteConnection, frontier: i64, limit: usize) -> Result<usize, Failure> {
    let values = [Value::Integer(frontier), Value::Integer(sql_limit(limit))];
    Ok(row::<CountAbove, i64, _>(connection, &values)?.unwrap_or_default() as usize)
}

fn ids_above(connection: &mut SqliteConnection, frontier: i64, limit: usize) -> Result<Vec<i64>, Failure> {
    Ok(rows::<IdsAbove, _, _>(connection, &[Value::Integer(frontier), Value::Integer(sql_limit(limit))])?)
}

/// Batches are formed in id order, so the last one ends at the frontier.
struct SurveyBatches;
impl Sql for SurveyBatches {
    const TEXT: &'static str = "SELECT (SELECT count(*) FROM batch WHERE state = 'open'), \
         (SELECT count(*) FROM batch WHERE state = 'leased'), \
         coalesce((SELECT last_record FROM batch ORDER BY id DESC LIMIT 1), 0), \
         coalesce((SELECT max(id) FROM record), 0)";
    type Columns = (BigInt, BigInt, BigInt, BigInt);
}

struct CountAbove;
impl Sql for CountAbove {
    const TEXT: &'static str = "SELECT count(*) FROM (SELECT 1 FROM record WHERE id > ? LIMIT +?)";
    type Columns = BigInt;
}

struct IdsAbove;
impl Sql for IdsAbove {
    const TEXT: &'static str = "SELECT id FROM record WHERE id > ? ORDER BY id LIMIT +?";
    type Columns = BigInt;
}

struct IdsBetween;
impl Sql for IdsBetween {
    const TEXT: &'static str = "SELECT id FROM record WHERE id BETWEEN ? AND ? ORDER BY id";
    type Columns = BigInt;
}

struct InsertBatch;
impl Sql for InsertBatch {
    const TEXT: &'static str =
        "INSERT INTO batch (first_record, last_record, runs, record_count) VALUES (?, ?, ?, ?)";
    type Columns = ();
}
