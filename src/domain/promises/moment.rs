//! Checks all rows at one moment, if they fit into memory.

use super::{Batches, Breach, Counts, Feed, Invalid, KeyFact, Ledger, ReceiptFact, Records, check_counts};
use crate::domain::{BatchId, BatchRow, Place, RecordId, ledger::Head};

/// All rows at one moment, while no process is at work.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// All batches, in id order.
    pub batches: &'a [BatchRow],
    /// All records, in id order. A record with two signatures is listed twice.
    pub records: &'a [RecordFact<'a>],
    /// All keys.
    pub keys: &'a [KeyFact],
    /// The feed, in the order of positions.
    pub feed: &'a [(Place, BatchId)],
    /// Signed batches that wait for a position.
    pub unsequenced: &'a [BatchId],
    /// The receipts in their order, and how far the ledger is said to be; `None` if it is not looked at.
    pub ledger: Option<(&'a [ReceiptFact], Head)>,
    /// How many rows there are.
    pub counts: Counts,
}

/// What is known of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordFact<'a> {
    /// The record.
    pub record: RecordId,
    /// Whether the record waits for a batch; `None` if only the number of waiting records is known.
    pub waits: Option<bool>,
    /// The batch that its signature names, and the signature.
    pub signature: Option<(BatchId, &'a [u8])>,
}

impl Moment<'_> {
    /// Returns every breach. `verify` must check a signature of a record with the key of its batch.
    pub fn check(&self, verify: impl Fn(&BatchRow, RecordId, &[u8]) -> Result<(), Invalid>) -> Vec<Breach> {
        let (mut batches, mut breaches) = (Batches::default(), check_counts(self.counts));
        for batch in self.batches {
            breaches.extend(batches.see(batch));
            if batch.records.len() > BatchRow::MAX_RECORDS as u64 {
                continue;
            }
            let mut records = Records::new(batch, &batch.records);
            for fact in batch.records.ranges().flat_map(|(first, last)| self.between(first, last)) {
                records.see(fact.record, fact.signature, |value| verify(batch, fact.record, value));
            }
            breaches.extend(records.end().breaches);
        }
        breaches.extend(self.keys.iter().flat_map(|key| batches.check_key(*key, key.signatures)));
        breaches.extend(self.records.iter().filter_map(|fact| misplaced(fact, batches.contain(fact.record))));
        breaches.extend(self.check_feed(&batches));
        breaches.extend(self.check_ledger(&batches));
        breaches
    }

    fn check_feed(&self, batches: &Batches) -> Vec<Breach> {
        let state = |id: BatchId| {
            let found = self.batches.binary_search_by_key(&id, |batch| batch.id).ok();
            found.map(|place| self.batches[place].state)
        };
        let mut feed = Feed::default();
        let seen = self.feed.iter().flat_map(|(place, batch)| feed.see(*place, *batch, state(*batch)));
        let mut breaches: Vec<_> = seen.collect();
        breaches.extend(feed.check_signed(batches, self.unsequenced));
        breaches
    }

    fn check_ledger(&self, batches: &Batches) -> Vec<Breach> {
        let Some((receipts, said)) = self.ledger else { return Vec::new() };
        let mut ledger = Ledger::default();
        let mut breaches: Vec<_> = receipts.iter().flat_map(|receipt| ledger.see(receipt)).collect();
        breaches.extend(ledger.check_end(said));
        breaches.extend(ledger.check_signed(batches));
        breaches
    }

    /// Checks that each signature that a client was shown is the stored one.
    pub fn check_shown<'a>(
        &self,
        shown: impl IntoIterator<Item = (RecordId, &'a [u8])>,
    ) -> impl Iterator<Item = Breach> {
        let is_stored = |(record, shown): &(RecordId, &[u8])| {
            let facts = self.between(*record, *record);
            let is_same = |fact: &RecordFact<'_>| fact.signature.is_some_and(|(_, value)| value == *shown);
            !facts.is_empty() && facts.iter().all(is_same)
        };
        let otherwise = shown.into_iter().filter(move |shown| !is_stored(shown));
        otherwise.map(|(record, _)| Breach::ShownOtherwise { record })
    }

    fn between(&self, first: RecordId, last: RecordId) -> &[RecordFact<'_>] {
        let start = self.records.partition_point(|fact| fact.record < first);
        let end = self.records.partition_point(|fact| fact.record <= last);
        &self.records[start..end]
    }
}

/// Checks that a record is in a batch or waits for one, and that a record in no batch has no signature.
fn misplaced(fact: &RecordFact<'_>, is_in_batch: bool) -> Option<Breach> {
    let record = fact.record;
    match (is_in_batch, fact.waits, fact.signature) {
        (true, Some(true), _) => Some(Breach::WaitsInBatch { record }),
        (false, _, Some((named, _))) => Some(Breach::SignatureWithoutBatch { record, named }),
        (false, Some(false), None) => Some(Breach::Lost { record }),
        _ => None,
    }
}
