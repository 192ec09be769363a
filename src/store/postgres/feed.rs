//! The feed: giving signed batches their positions, and reading them in that order.

use diesel::{
    PgConnection,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use super::{PostgresStore, errors::Failure, time::time, transaction::Turn};
use crate::{
    domain::{BatchId, Place},
    store::{
        Feed, FeedBatch, FeedEnd, StoreError,
        sql::{FeedBatchColumns, RawFeedBatch, Sql, Value, feed_id, row, rows, sql_limit},
    },
};

/// Batches that get their positions in one transaction.
const AT_A_TIME: i64 = 10_000;

impl Feed for PostgresStore {
    fn sequence(&self) -> Result<FeedEnd, StoreError> {
        // Nearly always nothing waits, and one query is enough. Its snapshot shows the end of the feed and what waits at
        // the same moment. What another sequencer is numbering just now still waits in it.
        let mut seen = self.lookup(look)?;
        while seen.must_number {
            // What if we die here? Before the COMMIT the batches still wait, no reader has seen their positions, and the
            // next sequencer numbers them, perhaps in another order. After the COMMIT, which waits for the disk, the
            // positions are final.
            let numbered = self.write_in_turn(Turn::Sequence, |connection| {
                let numbered = row::<Number, i64, _>(connection, &[Value::Integer(AT_A_TIME)])?;
                Ok(numbered.unwrap_or_default())
            });
            match numbered {
                // The positions were given or not: the next look shows which.
                Ok(_) | Err(StoreError::UnknownOutcome(_)) => seen = self.lookup(look)?,
                Err(error) => return Err(error),
            }
        }
        Ok(seen.end)
    }

    fn feed(&self, after: Place, limit: usize) -> Result<Vec<FeedBatch>, StoreError> {
        self.lookup(|connection| {
            let values = [Value::Integer(after.0), Value::Integer(sql_limit(limit))];
            let rows: Vec<RawFeedBatch> = rows::<FeedAfter, _, _>(connection, &values)?;
            Ok(rows.into_iter().map(FeedBatch::try_from).collect::<Result<_, _>>()?)
        })
    }

    fn unsequenced(&self) -> Result<Vec<BatchId>, StoreError> {
        self.long_query(|connection| {
            let ids: Vec<i64> = rows::<Unsequenced, _, _>(connection, &[])?;
            Ok(ids.into_iter().map(BatchId).collect())
        })
    }
}

/// The feed at one moment.
struct Seen {
    end: FeedEnd,
    /// Whether batches wait for their positions, and this role may give them, in this database.
    must_number: bool,
}

fn look(connection: &mut PgConnection) -> Result<Seen, Failure> {
    let (id, last, must_number): (Option<String>, i64, bool) =
        row::<Look, _, _>(connection, &[])?.unwrap_or_default();
    Ok(Seen { end: FeedEnd { feed: feed_id(id.as_deref())?, last: Place(last) }, must_number })
}

/// The rights are asked for first, because a refusal comes with a text only, in the server's language. In a copy that
/// logical replication feeds, the positions come from the origin: others would collide with them, and end the replication.
struct Look;
impl Sql for Look {
    const TEXT: &'static str = "SELECT (SELECT id FROM feed_identity), (SELECT coalesce(max(position), 0) FROM feed), \
         CASE WHEN NOT EXISTS (SELECT FROM unsequenced) THEN FALSE ELSE \
             NOT pg_is_in_recovery() AND has_table_privilege('sequencing_turn', 'UPDATE') \
             AND has_table_privilege('feed', 'INSERT') AND has_table_privilege('unsequenced', 'DELETE') \
             AND NOT EXISTS (SELECT FROM pg_stat_subscription JOIN pg_subscription_rel ON srsubid = subid \
                 WHERE srrelid = to_regclass('feed')) END";
    type Columns = (Nullable<Text>, BigInt, Bool);
}

/// Runs after its turn has come, so its snapshot shows every position before. The notification tells followers the last
/// position, when the transaction commits.
struct Number;
impl Sql for Number {
    const TEXT: &'static str = "WITH taken AS (DELETE FROM unsequenced WHERE batch_id IN \
             (SELECT batch_id FROM unsequenced ORDER BY batch_id LIMIT ?) RETURNING batch_id), \
         numbered AS (INSERT INTO feed (position, batch_id) \
             SELECT (SELECT coalesce(max(position), 0) FROM feed) + row_number() OVER (ORDER BY batch_id), batch_id \
             FROM taken RETURNING position) \
         SELECT numbered.batches FROM (SELECT count(*) AS batches, max(position) AS last FROM numbered) AS numbered, \
         LATERAL (SELECT pg_notify('signwave_feed', last::text) WHERE batches > 0 OFFSET 0) AS told";
    type Columns = BigInt;
}

struct FeedAfter;
impl Sql for FeedAfter {
    const TEXT: &'static str = concat!(
        "SELECT position, id, first_record, last_record, runs, record_count, state, epoch, key_id, node_id, scheme, ",
        time!("signed_at"),
        " FROM feed JOIN batch ON batch.id = feed.batch_id WHERE position > ? ORDER BY position LIMIT ?"
    );
    type Columns = FeedBatchColumns;
}

struct Unsequenced;
impl Sql for Unsequenced {
    const TEXT: &'static str = "SELECT batch_id FROM unsequenced ORDER BY batch_id";
    type Columns = BigInt;
}
