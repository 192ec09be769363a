//! Forming batches: of the records above the frontier, and of those that became visible below it.

use diesel::{
    PgConnection, Queryable,
    sql_types::{BigInt, Bool},
};

use super::{PostgresStore, array::array, errors::Failure, gaps, transaction::Turn};
use crate::{
    domain::{RecordId, Runs},
    store::{
        Batching, OpenBatches, OpenedBatches, StoreError,
        sql::{Sql, Value, execute, expect_rows, row, rows, sql_limit},
    },
};

/// How many ids are read at a time, unless one batch is larger.
const IDS_AT_A_TIME: usize = 8192;

impl Batching for PostgresStore {
    fn open_batches(&self, request: OpenBatches) -> Result<OpenedBatches, StoreError> {
        // This takes no turn, because a poll that finds nothing to do must not block other nodes.
        let (survey, waiting) = self.query(|connection| {
            let survey = survey(connection)?;
            let enough =
                if request.partial || survey.open >= request.keep_open { 1 } else { request.batch_size };
            Ok((survey, waiting(connection, survey, enough)?))
        })?;
        let is_ready = match waiting {
            Waiting::Nothing => false,
            Waiting::Late => true,
            Waiting::New(count) => request.partial || count >= request.batch_size,
        };
        if survey.open >= request.keep_open || !is_ready {
            let Survey { open, leased, .. } = survey;
            let (waiting, waiting_at_most) = (waiting.count(), survey.above());
            return Ok(OpenedBatches { opened: 0, open, leased, waiting, waiting_at_most });
        }
        // What if we die here? Forming batches is one transaction: either the batches exist and are open, or
        // they do not exist and the next call forms them.
        self.write_in_turn(Turn::Open, |connection| form(connection, request))
    }
}

/// Forms batches of ids that are read after the turn has come, so that no other node has them.
fn form(connection: &mut PgConnection, request: OpenBatches) -> Result<OpenedBatches, Failure> {
    gaps::hold(connection)?;
    let mut survey = survey(connection)?;
    let batch_size = request.batch_size.max(1);
    let mut result = OpenedBatches { open: survey.open, leased: survey.leased, ..OpenedBatches::default() };
    while result.open < request.keep_open {
        let batches = (request.keep_open - result.open).min((IDS_AT_A_TIME / batch_size).max(1));
        let wanted = batches.saturating_mul(batch_size);
        let mut ids = if survey.has_gaps { gaps::take_late(connection, wanted)? } else { Vec::new() };
        let late = ids.len();
        ids.extend(ids_above(connection, survey.frontier, wanted - late)?);
        let all = ids.len() < wanted;
        if !request.partial {
            // Late records have waited long enough; new ones can wait for a full batch.
            ids.truncate(
                late.next_multiple_of(batch_size).max(ids.len() / batch_size * batch_size).min(ids.len()),
            );
            if late == 0 && ids.len() < batch_size {
                break;
            }
        }
        if ids.is_empty() {
            break;
        }
        let formed = insert_batches(connection, &ids, batch_size)?;
        if let Some(highest) = ids[late..].last() {
            gaps::advance(connection, *highest)?;
        }
        survey.has_gaps |= gaps::note(connection, survey.frontier, &ids[late..])?;
        survey.frontier = ids.last().copied().filter(|_| ids.len() > late).unwrap_or(survey.frontier);
        result.opened += formed;
        result.open += formed;
        if all {
            break;
        }
    }
    let enough = if result.open >= request.keep_open { 1 } else { batch_size };
    result.waiting = waiting(connection, survey, enough)?.count();
    result.waiting_at_most = survey.above();
    Ok(result)
}

/// Stores batches of `batch_size` ids each, the last one of what is left, and returns how many.
fn insert_batches(connection: &mut PgConnection, ids: &[i64], batch_size: usize) -> Result<usize, Failure> {
    let batches: Vec<Runs> =
        ids.chunks(batch_size).map(|ids| ids.iter().copied().map(RecordId).collect()).collect();
    let runs: Vec<_> = batches.iter().map(|runs| format!("\"{runs}\"")).collect();
    let firsts = array(batches.iter().filter_map(Runs::first).map(|id| id.0));
    let lasts = array(batches.iter().filter_map(Runs::last).map(|id| id.0));
    let counts = array(batches.iter().map(Runs::len));
    let values = [Value::Text(&firsts), Value::Text(&lasts), Value::Text(&array(runs)), Value::Text(&counts)];
    expect_rows("forming batches", batches.len(), execute::<InsertBatches, _>(connection, &values)?)?;
    Ok(batches.len())
}

#[derive(Clone, Copy, Default, Queryable)]
struct Survey {
    #[diesel(deserialize_as = i64)]
    open: usize,
    #[diesel(deserialize_as = i64)]
    leased: usize,
    /// The highest id in any batch.
    frontier: i64,
    /// Ids below the frontier are in no batch.
    has_gaps: bool,
    /// The highest id of a record.
    highest: i64,
}

impl Survey {
    fn above(self) -> u64 {
        u64::try_from(self.highest.saturating_sub(self.frontier)).unwrap_or(0)
    }
}

fn survey(connection: &mut PgConnection) -> Result<Survey, Failure> {
    Ok(row::<SurveyBatches, _, _>(connection, &[])?.unwrap_or_default())
}

/// Records in no batch.
#[derive(Clone, Copy)]
enum Waiting {
    Nothing,
    /// This many above the frontier, counted up to a limit.
    New(usize),
    /// There may be some below the frontier.
    Late,
}

impl Waiting {
    fn count(self) -> Option<usize> {
        match self {
            Self::Nothing => None,
            Self::New(count) => Some(count),
            Self::Late => Some(1),
        }
    }
}

fn waiting(connection: &mut PgConnection, survey: Survey, limit: usize) -> Result<Waiting, Failure> {
    if survey.has_gaps && gaps::any_closed(connection)? {
        return Ok(Waiting::Late);
    }
    let values = [Value::Integer(survey.frontier), Value::Integer(sql_limit(limit))];
    Ok(match row::<CountAbove, i64, _>(connection, &values)?.unwrap_or_default() {
        0 => Waiting::Nothing,
        count => Waiting::New(count as usize),
    })
}

fn ids_above(connection: &mut PgConnection, frontier: i64, limit: usize) -> Result<Vec<i64>, Failure> {
    let values = [Value::Integer(frontier), Value::Integer(sql_limit(limit))];
    Ok(rows::<IdsAbove, _, _>(connection, &values)?)
}

struct SurveyBatches;
impl Sql for SurveyBatches {
    const TEXT: &'static str = "SELECT (SELECT count(*) FROM batch WHERE state = 'open'), \
         (SELECT count(*) FROM batch WHERE state = 'leased'), \
         coalesce((SELECT max(last_record) FROM batch), 0), EXISTS (SELECT FROM gap), \
         coalesce((SELECT max(id) FROM record), 0)";
    type Columns = (BigInt, BigInt, BigInt, Bool, BigInt);
}

struct CountAbove;
impl Sql for CountAbove {
    const TEXT: &'static str =
        "SELECT count(*) FROM (SELECT FROM record WHERE id > ? ORDER BY id LIMIT ?) AS above";
    type Columns = BigInt;
}

struct IdsAbove;
impl Sql for IdsAbove {
    const TEXT: &'static str = "SELECT id FROM record WHERE id > ? ORDER BY id LIMIT ?";
    type Columns = BigInt;
}

/// Numbers the batches from the highest id on, because only one node at a time forms batches.
struct InsertBatches;
impl Sql for InsertBatches {
    const TEXT: &'static str = "INSERT INTO batch (id, first_record, last_record, runs, record_count) \
         SELECT (SELECT coalesce(max(id), 0) FROM batch) + place, first_record, last_record, runs, record_count \
         FROM unnest(?::text::bigint[], ?::text::bigint[], ?::text::text[], ?::text::bigint[]) \
         WITH ORDINALITY AS formed (first_record, last_record, runs, record_count, place)";
    type Columns = ();
}
