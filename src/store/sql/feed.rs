//! Rows of the feed.

use diesel::{Queryable, sql_types::BigInt};

use super::batches::{BatchColumns, RawBatch};
use crate::{
    domain::{FeedId, Place},
    store::{FeedBatch, StoreError},
};

/// The columns of [`RawFeedBatch`].
pub(in crate::store) type FeedBatchColumns = (BigInt, BatchColumns);

/// A position and the batch that has it.
#[derive(Queryable)]
pub(in crate::store) struct RawFeedBatch {
    position: i64,
    batch: RawBatch,
}

impl TryFrom<RawFeedBatch> for FeedBatch {
    type Error = StoreError;

    fn try_from(RawFeedBatch { position, batch }: RawFeedBatch) -> Result<Self, StoreError> {
        Ok(Self { place: Place(position), batch: batch.try_into()? })
    }
}

/// Converts the only row of `feed_identity`.
pub(in crate::store) fn feed_id(text: Option<&str>) -> Result<FeedId, StoreError> {
    let id = text.and_then(|text| text.parse().ok());
    id.ok_or_else(|| StoreError::Corrupt("table feed_identity does not have one row with an id".to_owned()))
}
