//! The feed. A commit adds its batches to the feed itself (`commits.rs`), because SQLite has one writer at a time.

use diesel::sql_types::{BigInt, Nullable, Text};

use super::SqliteStore;
use crate::{
    domain::{BatchId, Place},
    store::{
        Feed, FeedBatch, FeedEnd, StoreError,
        sql::{FeedBatchColumns, RawFeedBatch, Sql, Value, feed_id, row, rows, sql_limit},
    },
};

impl Feed for SqliteStore {
    /// There is nothing to number here.
    fn sequence(&self) -> Result<FeedEnd, StoreError> {
        self.query(|connection| {
            let (id, last): (Option<String>, i64) = row::<End, _, _>(connection, &[])?.unwrap_or_default();
            Ok(FeedEnd { feed: feed_id(id.as_deref())?, last: Place(last) })
        })
    }

    fn sequence_commits(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn feed(&self, after: Place, limit: usize) -> Result<Vec<FeedBatch>, StoreError> {
        self.query(|connection| {
            let values = [Value::Integer(after.0), Value::Integer(sql_limit(limit))];
            let rows: Vec<RawFeedBatch> = rows::<FeedAfter, _, _>(connection, &values)?;
            Ok(rows.into_iter().map(FeedBatch::try_from).collect::<Result<_, _>>()?)
        })
    }

    /// A signed batch without a position is damage here.
    fn unsequenced(&self) -> Result<Vec<BatchId>, StoreError> {
        Ok(Vec::new())
    }
}

struct End;
impl Sql for End {
    const TEXT: &'static str =
        "SELECT (SELECT id FROM feed_identity), (SELECT coalesce(max(position), 0) FROM feed)";
    type Columns = (Nullable<Text>, BigInt);
}

struct FeedAfter;
impl Sql for FeedAfter {
    const TEXT: &'static str = "SELECT position, id, first_record, last_record, runs, record_count, state, epoch, key_id, \
         node_id, scheme, signed_at FROM feed JOIN batch ON batch.id = feed.batch_id \
         WHERE position > ? ORDER BY position LIMIT +?";
    type Columns = FeedBatchColumns;
}
