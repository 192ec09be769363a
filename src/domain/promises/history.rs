//! Checks that what was true earlier is still true.

use std::collections::BTreeMap;

use super::{Breach, Moment};
use crate::domain::{BatchId, BatchRow, BatchState, Place, RecordId, ledger::Hash};

/// Remembers the last moment, every signature that a client was shown, and every position.
#[derive(Default)]
pub struct History {
    batches: BTreeMap<BatchId, BatchRow>,
    shown: BTreeMap<RecordId, Vec<u8>>,
    positions: BTreeMap<Place, BatchId>,
    receipts: Vec<Hash>,
}

impl History {
    /// Notes that a client was shown this signature. Returns a breach if a client was shown another one before.
    pub fn show(&mut self, record: RecordId, signature: &[u8]) -> Option<Breach> {
        let first = self.shown.entry(record).or_insert_with(|| signature.to_vec());
        (first != signature).then_some(Breach::ShownOtherwise { record })
    }

    /// Notes that a reader was shown this batch at this position. Returns a breach if a reader was shown another one before.
    pub fn show_position(&mut self, place: Place, batch: BatchId) -> Option<Breach> {
        let first = *self.positions.entry(place).or_insert(batch);
        (first != batch).then_some(Breach::PositionChanged { place })
    }

    /// Takes the next moment, and returns what has changed against the rules. All stored signatures and positions count as
    /// shown.
    pub fn see(&mut self, moment: &Moment<'_>) -> Vec<Breach> {
        let now: BTreeMap<_, _> = moment.batches.iter().map(|batch| (batch.id, batch)).collect();
        let changed = self.batches.values().filter_map(|before| change(before, now.get(&before.id).copied()));
        let mut breaches: Vec<_> = changed.collect();
        breaches.extend(moment.check_shown(self.shown.iter().map(|(record, value)| (*record, &**value))));
        let now: BTreeMap<_, _> = moment.feed.iter().copied().collect();
        let moved = self.positions.iter().filter(|(place, batch)| now.get(place) != Some(batch));
        breaches.extend(moved.map(|(place, _)| Breach::PositionChanged { place: *place }));
        self.positions.extend(now);
        breaches.extend(self.see_receipts(moment));
        self.batches = moment.batches.iter().map(|batch| (batch.id, batch.clone())).collect();
        for fact in moment.records {
            if let Some((_, value)) = fact.signature {
                self.shown.entry(fact.record).or_insert_with(|| value.to_vec());
            }
        }
        breaches
    }

    /// A root stands for all entries before it, so the first one that has changed is named only.
    fn see_receipts(&mut self, moment: &Moment<'_>) -> Option<Breach> {
        let (receipts, _) = moment.ledger?;
        let now: Vec<_> = receipts.iter().map(|receipt| receipt.root).collect();
        let same = self.receipts.iter().zip(&now).take_while(|(before, now)| before == now).count();
        let changed = (same < self.receipts.len()).then_some(Breach::ReceiptChanged { seq: same as u64 + 1 });
        self.receipts = now;
        changed
    }
}

/// A change of a batch that is not allowed.
fn change(before: &BatchRow, now: Option<&BatchRow>) -> Option<Breach> {
    let batch = before.id;
    let Some(now) = now else { return Some(Breach::BatchGone { batch }) };
    if before.records != now.records {
        return Some(Breach::RecordsChanged { batch });
    }
    if now.epoch < before.epoch {
        return Some(Breach::EpochFell { batch, before: before.epoch, now: now.epoch });
    }
    if matches!(before.state, BatchState::Signed | BatchState::Lost) {
        return (before != now).then_some(Breach::SignedBatchChanged { batch });
    }
    // An epoch has one lease, and only a commit ends a lease without raising the epoch.
    let is_committed =
        (before.state, now.state) == (BatchState::Leased, BatchState::Signed) && before.key == now.key;
    let is_same = (before.state, before.key, before.node) == (now.state, now.key, now.node);
    (before.epoch == now.epoch && !is_committed && !is_same)
        .then_some(Breach::EpochNotRaised { batch, epoch: now.epoch })
}
