//! Records that become visible late.
//!
//! Ids come from a sequence when rows are inserted, but rows become visible when their transactions commit: a
//! lower id may appear after a higher one was batched. So when batches are formed, the ids that are missing
//! between theirs are noted as gaps. Each gap names the transactions that are writing to `record` at that
//! moment, which are those that hold a ROW EXCLUSIVE lock on it.
//!
//! That is enough, because the trigger `record_id_is_drawn` enforces an order of events. A transaction that
//! inserts a row takes that lock first, and keeps the lock until the transaction ends (or loses the lock
//! together with the row, when a subtransaction is rolled back). Then the trigger compares the row's id with
//! the frontier. The node that forms batches reads ids, then moves the frontier to the highest of them, then
//! reads the locks. So an id that the trigger found above the frontier is among the ids read, or its
//! transaction is among the writers noted, or that transaction has ended since. Once none of the writers holds
//! the lock any more, every row that they inserted is visible or never will be. Then the gap is read once, and
//! deleted.
//!
//! An id that the trigger finds at or below the frontier is accepted only where a gap waits for the transaction
//! that inserts it: that id was drawn before the frontier passed it. The frontier is a sequence,
//! `signwave_frontier`, because every transaction sees a sequence at once, whatever its snapshot. So the ids
//! need not rise, and the database need not have chosen them.
//!
//! (After PREPARE TRANSACTION a transaction would continue under another name. But a transaction that has
//! inserted records cannot be prepared, because it has executed NOTIFY.)

use diesel::{
    PgConnection,
    sql_types::{BigInt, Bool, Nullable},
};

use super::{array::array, errors::Failure};
use crate::domain::Runs;
use crate::store::sql::{Sql, Value, execute, expect_rows, row, rows, sql_limit};

/// Notes the ids that are missing above `frontier` among `ids`, which must rise; returns whether there are any.
/// Callers must have read `ids` before.
pub(super) fn note(connection: &mut PgConnection, frontier: i64, ids: &[i64]) -> Result<bool, Failure> {
    let befores = std::iter::once(frontier).chain(ids.iter().copied());
    let gaps: Vec<_> = befores.zip(ids).filter(|(before, id)| before + 1 < **id).collect();
    if gaps.is_empty() {
        return Ok(false);
    }
    let firsts = array(gaps.iter().map(|(before, _)| before + 1));
    let lasts = array(gaps.iter().map(|(_, id)| **id - 1));
    let noted = execute::<NoteGaps, _>(connection, &[Value::Text(&firsts), Value::Text(&lasts)])?;
    expect_rows("noting gaps", gaps.len(), noted)?;
    Ok(true)
}

/// Makes transactions that insert below the frontier wait until the batches formed here are visible. Callers
/// must call this first. It also advances a frontier that is behind the batches, as in a copy that was made
/// table by table.
pub(super) fn hold(connection: &mut PgConnection) -> Result<(), Failure> {
    execute::<HoldGaps, _>(connection, &[])?;
    row::<CatchUp, i64, _>(connection, &[])?;
    Ok(())
}

/// Moves the frontier to an id that was read. Callers must call this after they read the ids, and before
/// [`note`].
pub(super) fn advance(connection: &mut PgConnection, highest: i64) -> Result<(), Failure> {
    row::<Advance, i64, _>(connection, &[Value::Integer(highest)])?;
    Ok(())
}

/// Whether a gap is closed: no transaction can fill it any more.
pub(super) fn any_closed(connection: &mut PgConnection) -> Result<bool, Failure> {
    Ok(row::<AnyClosed, bool, _>(connection, &[])?.unwrap_or(false))
}

/// Takes up to `limit` ids that have become visible in closed gaps. Deletes these gaps, or shrinks the last one
/// to what is beyond the last id taken.
pub(super) fn take_late(connection: &mut PgConnection, limit: usize) -> Result<Vec<i64>, Failure> {
    // Two statements, because a statement takes its snapshot before it reads the locks. A transaction that ends
    // in between would be neither among the writers nor visible.
    let limit_value = Value::Integer(sql_limit(limit));
    let closed: Vec<i64> = rows::<ClosedGaps, _, _>(connection, &[limit_value])?;
    if closed.is_empty() {
        return Ok(Vec::new());
    }
    let closed = array(closed);
    let found: Vec<(i64, i64, Option<i64>)> =
        rows::<LateIds, _, _>(connection, &[Value::Text(&closed), limit_value])?;
    let ids: Vec<i64> = found.iter().filter_map(|(_, _, id)| *id).collect();
    let mut closed: Vec<i64> = found.iter().map(|(first, ..)| *first).collect();
    closed.dedup();
    // Only the last gap can have more than was asked for.
    if let Some((first, last, Some(id))) = found.last().copied()
        && found.len() >= limit
        && id < last
    {
        closed.pop();
        let values = [Value::Integer(id + 1), Value::Integer(first)];
        expect_rows("shrinking a gap", 1, execute::<ShrinkGap, _>(connection, &values)?)?;
    }
    let deleted = execute::<DeleteGaps, _>(connection, &[Value::Text(&array(closed.iter()))])?;
    expect_rows("closing gaps", closed.len(), deleted)?;
    Ok(ids)
}

/// The frontier, and all gaps. Callers must have called [`hold`].
pub(super) fn all(connection: &mut PgConnection) -> Result<(i64, Vec<(i64, i64)>), Failure> {
    let frontier: Option<i64> = row::<Frontier, _, _>(connection, &[])?;
    Ok((frontier.unwrap_or_default(), rows::<AllGaps, _, _>(connection, &[])?))
}

/// Replaces all gaps. Transactions that insert into one are refused from then on, and its records are taken next.
pub(super) fn replace(connection: &mut PgConnection, gaps: Vec<(i64, i64)>) -> Result<(), Failure> {
    execute::<DeleteAllGaps, _>(connection, &[])?;
    let (firsts, lasts) = (array(gaps.iter().map(|gap| gap.0)), array(gaps.iter().map(|gap| gap.1)));
    let stored = execute::<InsertGaps, _>(connection, &[Value::Text(&firsts), Value::Text(&lasts)])?;
    Ok(expect_rows("replacing gaps", gaps.len(), stored)?)
}

/// Lets this transaction insert these ids, which are at the frontier or below it. They stay gaps, so their records are found.
pub(super) fn admit(connection: &mut PgConnection, ids: &[(i64, i64)]) -> Result<(), Failure> {
    let all: Vec<(i64, i64)> = rows::<AllGaps, _, _>(connection, &[])?;
    replace(connection, without(all, ids.to_vec()))?;
    let (firsts, lasts) = (array(ids.iter().map(|gap| gap.0)), array(ids.iter().map(|gap| gap.1)));
    let admitted = execute::<AdmitIds, _>(connection, &[Value::Text(&firsts), Value::Text(&lasts)])?;
    Ok(expect_rows("admitting ids", ids.len(), admitted)?)
}

/// Moves the frontier, where batches of these records have been formed out of their turn, and others of the ids between the last
/// two, of which no record has any. All ids up to the highest one that are in none of them are gaps, from which their records
/// are taken next. Callers must have called [`all`] before, for the first two values.
pub(super) fn leave<'a>(
    connection: &mut PgConnection,
    (frontier, open): (i64, Vec<(i64, i64)>),
    formed: impl IntoIterator<Item = &'a Runs>,
    (used, unused): (i64, i64),
) -> Result<(), Failure> {
    let ranges = formed.into_iter().flat_map(Runs::ranges).map(|(first, last)| (first.0, last.0));
    let formed: Vec<_> = ranges.chain((unused > used).then_some((used + 1, unused))).collect();
    let reached = formed.iter().map(|(_, last)| *last).max().unwrap_or_default();
    if reached > frontier {
        advance(connection, reached)?;
    }
    let missing = open.into_iter().chain((reached > frontier).then_some((frontier + 1, reached)));
    replace(connection, without(missing.collect(), formed))
}

/// What is in one set of ranges and not in another.
fn without(ranges: Vec<(i64, i64)>, mut taken: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    taken.sort_unstable();
    let mut left = Vec::new();
    for (mut first, last) in ranges {
        let from = taken.partition_point(|(_, end)| *end < first);
        for (begin, end) in taken[from..].iter().take_while(|(begin, _)| *begin <= last) {
            if *begin > first {
                left.push((first, begin - 1));
            }
            first = end + 1;
        }
        if first <= last {
            left.push((first, last));
        }
    }
    left
}

/// The transactions that are writing to `record`: each has inserted, or is about to.
macro_rules! writers {
    () => {
        "(SELECT coalesce(array_agg(virtualtransaction), '{}') FROM pg_locks WHERE locktype = 'relation' \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND relation = 'record'::regclass AND mode = 'RowExclusiveLock' AND granted)"
    };
}

struct HoldGaps;
impl Sql for HoldGaps {
    const TEXT: &'static str = "LOCK TABLE gap IN ROW EXCLUSIVE MODE";
    type Columns = ();
}

struct CatchUp;
impl Sql for CatchUp {
    const TEXT: &'static str = "SELECT setval('signwave_frontier', last_record) FROM \
         (SELECT last_record FROM batch ORDER BY last_record DESC LIMIT 1) AS highest \
         WHERE last_record > coalesce(pg_sequence_last_value('signwave_frontier'), 0)";
    type Columns = BigInt;
}

struct Advance;
impl Sql for Advance {
    const TEXT: &'static str = "SELECT setval('signwave_frontier', ?)";
    type Columns = BigInt;
}

struct NoteGaps;
impl Sql for NoteGaps {
    const TEXT: &'static str = concat!(
        "INSERT INTO gap (first_record, last_record, writers) SELECT first_record, last_record, writers.writers FROM \
         unnest(?::text::bigint[], ?::text::bigint[]) AS noted (first_record, last_record), ",
        writers!(),
        " AS writers (writers)"
    );
    type Columns = ();
}

struct Frontier;
impl Sql for Frontier {
    const TEXT: &'static str = "SELECT greatest(pg_sequence_last_value('signwave_frontier'), (SELECT max(last_record) FROM batch), 0)";
    type Columns = BigInt;
}

struct AllGaps;
impl Sql for AllGaps {
    const TEXT: &'static str = "SELECT first_record, last_record FROM gap ORDER BY first_record";
    type Columns = (BigInt, BigInt);
}

struct DeleteAllGaps;
impl Sql for DeleteAllGaps {
    const TEXT: &'static str = "DELETE FROM gap";
    type Columns = ();
}

struct InsertGaps;
impl Sql for InsertGaps {
    const TEXT: &'static str = "INSERT INTO gap (first_record, last_record, writers) SELECT first_record, last_record, '{}' \
         FROM unnest(?::text::bigint[], ?::text::bigint[]) AS noted (first_record, last_record)";
    type Columns = ();
}

struct AdmitIds;
impl Sql for AdmitIds {
    const TEXT: &'static str = "INSERT INTO gap (first_record, last_record, writers) SELECT first_record, last_record, \
         ARRAY(SELECT DISTINCT virtualtransaction FROM pg_locks WHERE pid = pg_backend_pid()) \
         FROM unnest(?::text::bigint[], ?::text::bigint[]) AS admitted (first_record, last_record)";
    type Columns = ();
}

struct AnyClosed;
impl Sql for AnyClosed {
    const TEXT: &'static str =
        concat!("SELECT EXISTS (SELECT FROM gap WHERE NOT writers && ", writers!(), "::text[])");
    type Columns = Bool;
}

struct ClosedGaps;
impl Sql for ClosedGaps {
    const TEXT: &'static str = concat!(
        "SELECT first_record FROM gap WHERE NOT writers && ",
        writers!(),
        "::text[] ORDER BY first_record LIMIT ?"
    );
    type Columns = BigInt;
}

/// Returns a gap without any record as a row without an id.
struct LateIds;
impl Sql for LateIds {
    const TEXT: &'static str = "SELECT closed.first_record, closed.last_record, late.id FROM (SELECT first_record, last_record \
         FROM gap WHERE first_record = ANY (?::text::bigint[])) AS closed LEFT JOIN LATERAL (SELECT id FROM record \
         WHERE id BETWEEN closed.first_record AND closed.last_record ORDER BY id) AS late ON TRUE \
         ORDER BY closed.first_record, late.id LIMIT ?";
    type Columns = (BigInt, BigInt, Nullable<BigInt>);
}

struct ShrinkGap;
impl Sql for ShrinkGap {
    const TEXT: &'static str = "UPDATE gap SET first_record = ? WHERE first_record = ?";
    type Columns = ();
}

struct DeleteGaps;
impl Sql for DeleteGaps {
    const TEXT: &'static str = "DELETE FROM gap WHERE first_record = ANY (?::text::bigint[])";
    type Columns = ();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_is_cut_out_of_gaps() {
        assert_eq!(without(vec![(1, 9), (20, 30)], vec![]), [(1, 9), (20, 30)]);
        assert_eq!(
            without(vec![(1, 9), (20, 30)], vec![(3, 4), (1, 1), (28, 40), (10, 12)]),
            [(2, 2), (5, 9), (20, 27)]
        );
        assert_eq!(without(vec![(5, 9)], vec![(1, 20)]), []);
    }
}
