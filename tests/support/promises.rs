//! One checker of all promises that a store makes, to be called after each step while nobody else
//! is at work.

use std::collections::{BTreeMap, BTreeSet};

use signwave::{
    domain::{BatchId, BatchState, Epoch, RecordId, Runs},
    store::{BatchRow, Store},
};

/// What was true at the last step, and must stay so.
#[derive(Default)]
pub struct Promises {
    epochs: BTreeMap<BatchId, Epoch>,
    signatures: BTreeMap<RecordId, (BatchId, Vec<u8>)>,
}

impl Promises {
    pub fn check(&mut self, store: &dyn Store) {
        let batches = store.batches(BatchId(0), usize::MAX).unwrap();
        check_batches(&batches);
        self.check_epochs(&batches);
        let found = signatures(store);
        self.check_signatures(store, &batches, found);
        check_sums(store, &batches);
        assert_eq!(store.audit().unwrap(), Vec::<String>::new());
    }

    /// P4: an epoch never falls, and a batch never goes away.
    fn check_epochs(&mut self, batches: &[BatchRow]) {
        let epochs: BTreeMap<_, _> = batches.iter().map(|batch| (batch.id, batch.epoch)).collect();
        for (batch, before) in &self.epochs {
            assert!(epochs.get(batch).is_some_and(|now| now >= before), "epoch of batch {batch} fell");
        }
        self.epochs = epochs;
    }

    /// P1: a signature never changes or goes away. P3: a batch is signed as a whole or not at all.
    fn check_signatures(
        &mut self,
        store: &dyn Store,
        batches: &[BatchRow],
        found: BTreeMap<RecordId, (BatchId, Vec<u8>)>,
    ) {
        for (record, before) in &self.signatures {
            assert_eq!(found.get(record), Some(before), "signature of record {record} changed");
        }
        let signed = batches.iter().filter(|batch| batch.state == BatchState::Signed);
        let expected: BTreeMap<_, _> =
            signed.flat_map(|batch| batch.records.iter().map(|record| (record, batch.id))).collect();
        let shown: BTreeMap<_, _> = found.iter().map(|(record, (batch, _))| (*record, *batch)).collect();
        assert_eq!(shown, expected, "signatures and signed batches");
        for (record, batch) in shown {
            assert_eq!(store.batch_of(record).unwrap().map(|row| row.id), Some(batch));
        }
        self.signatures = found;
    }
}

fn signatures(store: &dyn Store) -> BTreeMap<RecordId, (BatchId, Vec<u8>)> {
    let everything: Runs = format!("1-{}", i64::MAX).parse().unwrap();
    let (mut signatures, mut last) = (BTreeMap::new(), RecordId(0));
    store
        .read_signed(&everything, &mut |row| {
            assert!(row.record > last, "in id order");
            last = row.record;
            if let Some((batch, value)) = row.signature {
                signatures.insert(row.record, (batch, value.to_vec()));
            }
        })
        .unwrap();
    signatures
}

/// P2: no key is leased twice. P5: no record is in two batches, or lost between two.
fn check_batches(batches: &[BatchRow]) {
    let (mut frontier, mut keys) = (RecordId(0), BTreeSet::new());
    for batch in batches {
        let span = (batch.records.first().unwrap(), batch.records.last().unwrap(), batch.records.len());
        assert_eq!(span, batch.stored_span);
        assert!(span.0 > frontier, "batch {} overlaps the one before it", batch.id);
        frontier = span.1;
        let is =
            (batch.key.is_some(), batch.node.is_some(), batch.scheme.is_some(), batch.signed_at.is_some());
        let expected = match batch.state {
            BatchState::Open => (false, false, false, false),
            BatchState::Leased => (true, true, true, false),
            BatchState::Signed => (true, false, true, true),
        };
        assert_eq!(is, expected, "batch {} is {}", batch.id, batch.state);
        if batch.state == BatchState::Leased {
            assert!(keys.insert(batch.key), "a key is leased twice");
        }
    }
}

fn check_sums(store: &dyn Store, batches: &[BatchRow]) {
    let (counts, status, keys) = (store.counts().unwrap(), store.status().unwrap(), store.keys().unwrap());
    let records = |state| -> u64 {
        batches.iter().filter(|batch| batch.state == state).map(|batch| batch.records.len()).sum()
    };
    let rows =
        BatchState::ALL.map(|state| batches.iter().filter(|batch| batch.state == state).count() as u64);
    assert_eq!(status.batches, rows);
    let sums = (status.open, status.leased, status.signed);
    assert_eq!(sums, (records(BatchState::Open), records(BatchState::Leased), records(BatchState::Signed)));
    assert_eq!(counts.batches, batches.len() as u64);
    assert_eq!(counts.signatures, status.signed);
    assert_eq!(counts.unbatched, status.unbatched);
    assert_eq!(counts.records, status.records());
    for key in keys {
        let signed = batches.iter().filter(|b| b.state == BatchState::Signed && b.key == Some(key.id));
        assert_eq!(key.signature_count as u64, signed.map(|batch| batch.records.len()).sum::<u64>());
        let leased = batches.iter().find(|b| b.state == BatchState::Leased && b.key == Some(key.id));
        assert_eq!(key.leased_batch, leased.map(|batch| batch.id));
    }
}
