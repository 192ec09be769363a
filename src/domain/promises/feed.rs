//! Checks the feed: each signed batch has one position, and positions are dense.

use super::{Batches, Breach, covered::Covered};
use crate::domain::{BatchId, BatchState, Place};

/// What must be remembered of the positions seen so far: a few words, because batches are numbered nearly in the order of
/// their ids.
#[derive(Default)]
pub struct Feed {
    last: Place,
    /// The batches that have a position.
    numbered: Covered,
}

impl Feed {
    /// Takes the next position, in their order, with its batch and the state of that batch at the same moment. Returns what
    /// is wrong with it.
    pub fn see(&mut self, place: Place, batch: BatchId, state: Option<BatchState>) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let before = std::mem::replace(&mut self.last, place);
        if place != before.next() {
            breaches.push(Breach::FeedHasGap { before, place });
        }
        if self.numbered.add(batch.0, batch.0).is_some() {
            breaches.push(Breach::TwoPositions { batch, place });
        }
        if state != Some(BatchState::Signed) {
            breaches.push(Breach::PositionTooEarly { batch, place });
        }
        breaches
    }

    /// Checks that every signed batch has a position, or waits for one. The batches must have been read first, then those
    /// that wait, then the feed: so a batch that gets its position in between is seen in one of the two.
    pub fn check_signed<'a>(
        &'a self,
        batches: &'a Batches,
        waiting: &[BatchId],
    ) -> impl Iterator<Item = Breach> + use<'a> {
        let mut waits = Covered::default();
        waiting.iter().for_each(|batch| _ = waits.add(batch.0, batch.0));
        let lacks = move |batch: &i64| !self.numbered.contains(*batch) && !waits.contains(*batch);
        batches.signed.iter().filter(lacks).map(|batch| Breach::NoPosition { batch: BatchId(batch) })
    }
}
