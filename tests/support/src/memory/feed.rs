//! The feed, in memory. As on a server, batches get their positions after their commit.

use super::MemoryStore;
use signwave::{
    domain::{BatchId, FeedId, Place},
    store::{Feed, FeedBatch, FeedEnd, StoreError},
};

/// There is one feed in memory.
pub(super) const FEED: FeedId = FeedId([0xfe, 0xed, 0, 0, 0, 1]);

impl Feed for MemoryStore {
    fn sequence(&self) -> Result<FeedEnd, StoreError> {
        let state = &mut *self.lock();
        state.feed.extend(std::mem::take(&mut state.unsequenced));
        Ok(FeedEnd { feed: FEED, last: Place(state.feed.len() as i64) })
    }

    fn feed(&self, after: Place, limit: usize) -> Result<Vec<FeedBatch>, StoreError> {
        let state = self.lock();
        let place = |(place, batch)| FeedBatch { place: Place(place), batch: state.batches[batch].clone() };
        let behind = (1..).zip(&state.feed).filter(|(place, _)| *place > after.0);
        Ok(behind.take(limit).map(place).collect())
    }

    fn unsequenced(&self) -> Result<Vec<BatchId>, StoreError> {
        Ok(self.lock().unsequenced.iter().copied().collect())
    }
}
