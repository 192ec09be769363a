//! Accepting that the database lacks what was signed.

use diesel::{
    PgConnection,
    sql_types::{BigInt, Text},
};

use super::{
    PostgresStore,
    audit_log::InsertAudit,
    errors::Failure,
    gaps, ledger,
    migrations::refuse_under_nodes,
    time::time,
    transaction::{Turn, in_turn, run},
};
use crate::{
    anchors::Loss,
    domain::{
        Action, BatchId, By, RecordId, Runs,
        ledger::{Origin, Restored},
    },
    store::{
        AcceptVerdict, Acceptance, Restores, StoreError,
        sql::{
            Change, HighestBatch, Lost, RestoreEntries, Sql, Value, end_of, execute, highest_record,
            insert_lost, last_id_after, lose, note, row, rows,
        },
    },
};

impl Restores for PostgresStore {
    fn accept(&self, acceptance: Acceptance<'_>, by: &By) -> Result<AcceptVerdict, StoreError> {
        let loss = acceptance.loss;
        // What if we die here? The loss is accepted as a whole, or not at all. Only sequences may have been raised, which
        // leaves out ids.
        run(&self.short, &in_turn(Turn::Audit), |connection| {
            refuse_under_nodes(connection)?;
            gaps::hold(connection)?;
            let mut ledger = ledger::hold(connection)?;
            if (ledger.origin(), ledger.head()) != (loss.origin, loss.kept) {
                return Ok(AcceptVerdict::Changed);
            }
            let now: String = row::<Now, _, _>(connection, &[])?.unwrap_or_default();
            ledger.restore(acceptance, &now)?;
            ledger::begin_incarnation(connection, &ledger)?;
            let used: i64 = row::<HighestId, _, _>(connection, &[])?.unwrap_or_default();
            let used = used.max(highest_record(loss));
            let last_id = last_id_after(used)?;
            row::<RaiseIds, i64, _>(connection, &[Value::Integer(last_id)])?;
            let lost = match acceptance.signs_again {
                true => Lost::default(),
                false => lose_all(connection, loss, used)?,
            };
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

/// Makes batches lost. Ids of batches that were formed once and never signed get a batch of one id behind `used`, which no
/// record ever has. Records that they had are in gaps now, from which they are formed again.
fn lose_all(connection: &mut PgConnection, loss: &Loss, used: i64) -> Result<Lost, Failure> {
    let (frontier, open) = gaps::all(connection)?;
    let highest: i64 = row::<HighestBatch, _, _>(connection, &[])?.unwrap_or_default();
    let mut unused = used;
    let lost: Lost = lose::<_, Failure>(connection, loss, highest, |connection, highest, next| {
        for id in highest + 1..next.id.0 {
            unused += 1;
            let records: Runs = [RecordId(unused)].into_iter().collect();
            insert_lost::<_, Failure>(connection, BatchId(id), &records, 1, (0, None))?;
        }
        Ok(())
    })?;
    // Those batches, too, are below the frontier, and so is everything that was never batched.
    let reached = if unused > used { unused } else { highest_record(loss) };
    if reached > frontier {
        gaps::advance(connection, reached)?;
    }
    let missing = open.into_iter().chain((reached > frontier).then_some((frontier + 1, reached)));
    let lost_runs = loss.batches.iter().flat_map(|(_, batch)| batch.records.ranges());
    gaps::replace(
        connection,
        without(missing.collect(), lost_runs.map(|(first, last)| (first.0, last.0)).collect()),
    )?;
    Ok(lost)
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

struct Now;
impl Sql for Now {
    const TEXT: &'static str = concat!("SELECT ", time!("clock_timestamp()"));
    type Columns = Text;
}

/// The highest id that a record has or had.
struct HighestId;
impl Sql for HighestId {
    const TEXT: &'static str = "SELECT greatest((SELECT max(id) FROM record), (SELECT max(last_record) FROM batch), \
         pg_sequence_last_value(pg_get_serial_sequence('record', 'id')::regclass), 0)";
    type Columns = BigInt;
}

struct RaiseIds;
impl Sql for RaiseIds {
    const TEXT: &'static str = "SELECT setval(pg_get_serial_sequence('record', 'id'), ?)";
    type Columns = BigInt;
}

struct RenameFeed;
impl Sql for RenameFeed {
    const TEXT: &'static str = "UPDATE feed_identity SET id = left(md5(random()::text || random()::text || clock_timestamp()::text), 12)";
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
