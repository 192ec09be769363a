//! Every batch, page by page: its row is checked here, its records on other threads.

use std::{collections::HashMap, panic::resume_unwind, sync::Arc, thread};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    Problem,
    findings::Findings,
    keys::KeyRing,
    signatures::{Piece, check_piece},
    totals::Totals,
};
use crate::{
    config::Settings,
    domain::{BatchId, BatchState, KeyId, RecordId, Runs},
    store::{BatchRow, Store, StoreError},
};

/// Batches read at a time.
const PAGE: usize = 500;
/// Steps to take past batches that cannot be read, before the rest is given up.
const STEPS: usize = 10_000;
/// Records that one thread checks at a time: enough to hide the queue, few enough to share fairly.
const PIECE: usize = 500;

/// What all threads of a check look at.
pub(super) struct Scan<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) ring: &'a KeyRing<'a>,
    pub(super) findings: &'a Findings,
    pub(super) progress: &'a (dyn Fn(u64) + Sync),
}

impl Scan<'_> {
    /// Reads all batches and has their records checked on `threads` threads; returns how many
    /// signatures verified.
    pub(super) fn run(&self, threads: usize, totals: &mut Totals) -> Result<u64, StoreError> {
        let (to_threads, pieces) = bounded(2 * threads);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    let pieces = pieces.clone();
                    scope.spawn(move || self.check_pieces(&pieces))
                })
                .collect();
            drop(pieces);
            let read = self.read_batches(to_threads, totals);
            let mut verified = 0;
            for worker in workers {
                verified += worker.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            }
            read.map(|()| verified)
        })
    }

    fn check_pieces(&self, pieces: &Receiver<Piece>) -> Result<u64, StoreError> {
        pieces.iter().try_fold(0, |verified, piece| {
            let more = check_piece(self, &piece)?;
            (self.progress)(piece.records.len());
            Ok(verified + more)
        })
    }

    fn read_batches(&self, to_threads: Sender<Piece>, totals: &mut Totals) -> Result<(), StoreError> {
        let (mut after, mut rows) = (BatchId(0), Rows::default());
        loop {
            let page = match self.store.batches(after, PAGE) {
                Err(StoreError::Corrupt(_)) => self.readable(after)?,
                page => page?,
            };
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for batch in page {
                totals.add(&batch);
                if rows.check(self, &batch)? && self.hand_out(batch, &to_threads).is_err() {
                    return Ok(()); // every thread has failed, and its error says why
                }
            }
        }
    }

    fn hand_out(
        &self,
        batch: BatchRow,
        to_threads: &Sender<Piece>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let batch = Arc::new(batch);
        let mut ids = batch.records.iter();
        loop {
            let records: Runs = ids.by_ref().take(PIECE).collect();
            if records.is_empty() {
                return Ok(());
            }
            to_threads.send(Piece { batch: Arc::clone(&batch), records })?;
        }
    }

    /// The batches of a page that holds one without a meaning: reads one by one, and names it.
    fn readable(&self, after: BatchId) -> Result<Vec<BatchRow>, StoreError> {
        let (mut page, mut id, mut reported) = (Vec::new(), after, None);
        for _ in 0..STEPS {
            match self.store.batches(id, 1) {
                Ok(rows) => match rows.into_iter().next() {
                    Some(row) => {
                        id = row.id;
                        page.push(row);
                    }
                    None => break,
                },
                Err(StoreError::Corrupt(reason)) => {
                    if reported.as_ref() != Some(&reason) {
                        let what = format!("a batch after batch {id}");
                        self.findings.add(Problem::Unreadable { what, reason: reason.clone() });
                        reported = Some(reason);
                    }
                    id = BatchId(id.0 + 1);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    /// The batch as it is now.
    pub(super) fn reread(&self, batch: BatchId) -> Result<Option<BatchRow>, StoreError> {
        let page = self.store.batches(BatchId(batch.0 - 1), 1)?;
        Ok(page.into_iter().find(|row| row.id == batch))
    }
}

/// What the rows read so far say about the next.
#[derive(Default)]
struct Rows {
    /// All records of batches read so far.
    covered: Covered,
    /// The batch, as it was read, that each key is leased to.
    leased: HashMap<KeyId, BatchRow>,
}

impl Rows {
    /// Checks the row; returns whether its records can be looked at.
    fn check(&mut self, scan: &Scan<'_>, batch: &BatchRow) -> Result<bool, StoreError> {
        let (records, findings) = (&batch.records, scan.findings);
        let span = records.first().zip(records.last()).map(|(first, last)| (first, last, records.len()));
        if span != Some(batch.stored_span) {
            findings.add(Problem::WrongSpan { batch: batch.id });
        }
        if records.len() > Settings::MAX_BATCH_SIZE as u64 {
            findings.add(Problem::TooManyRecords { batch: batch.id, records: records.len() });
            return Ok(false);
        }
        for (first, last) in records.ranges() {
            if let Some(record) = self.covered.add(first, last) {
                findings.add(Problem::InTwoBatches { record, batch: batch.id });
            }
        }
        if let Some(what) = contradiction(batch) {
            findings.add(Problem::WrongState { batch: batch.id, state: batch.state.name(), what });
        }
        if let (BatchState::Leased, Some(key)) = (batch.state, batch.key) {
            self.check_lease(scan, batch, key)?;
        }
        Ok(true)
    }

    /// Two batches that were read at different times may have had the key one after the other: it is
    /// in use twice only if the first still has the lease that it had then.
    fn check_lease(&mut self, scan: &Scan<'_>, batch: &BatchRow, key: KeyId) -> Result<(), StoreError> {
        if let Some(first) = self.leased.insert(key, batch.clone())
            && scan.reread(first.id)?.as_ref() == Some(&first)
        {
            scan.findings.add(Problem::KeyLeasedTwice { key, first: first.id, second: batch.id });
        }
        Ok(())
    }
}

/// What does not fit the state that the batch is in.
fn contradiction(batch: &BatchRow) -> Option<&'static str> {
    let (key, node, scheme) = (batch.key.is_some(), batch.node.is_some(), batch.scheme.is_some());
    match batch.state {
        BatchState::Open if key || node => Some("a key or a node holds it"),
        BatchState::Leased if !(key && node && scheme) => Some("it lacks its key, node or scheme"),
        BatchState::Signed if !(key && scheme) => Some("it lacks its key or scheme"),
        BatchState::Signed if batch.signed_at.is_none() => Some("it lacks the time of signing"),
        BatchState::Open | BatchState::Leased if batch.signed_at.is_some() => {
            Some("it has a time of signing")
        }
        _ => None,
    }
}

/// Record ids seen so far, as runs: usually one.
#[derive(Default)]
struct Covered(std::collections::BTreeMap<i64, i64>);

impl Covered {
    /// Adds a run; returns its first record that was there already.
    fn add(&mut self, first: RecordId, last: RecordId) -> Option<RecordId> {
        let (mut start, mut end) = (first.0, last.0);
        let mut twice = None;
        // Runs that overlap or touch become one. Going down from the end of the new one, the last
        // overlap found is the lowest.
        while let Some((&run_start, &run_end)) = self.0.range(..=end.saturating_add(1)).next_back() {
            if run_end.saturating_add(1) < start {
                break;
            }
            if run_start <= last.0 && run_end >= first.0 {
                twice = Some(RecordId(run_start.max(first.0)));
            }
            (start, end) = (start.min(run_start), end.max(run_end));
            self.0.remove(&run_start);
        }
        self.0.insert(start, end);
        twice
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        domain::{Custody, Fingerprint, Scheme, SignatureBuf},
        signer::Engine,
        store::{MemoryStore, NewKey, NewRecord, OpenBatches},
    };

    #[test]
    fn a_key_that_went_from_one_batch_to_the_next_meanwhile_is_not_in_use_twice() {
        let store = MemoryStore::new();
        let record = NewRecord { external_id: None, payload: b"" };
        store.insert_records(&[record, record]).unwrap();
        store.open_batches(OpenBatches { batch_size: 1, keep_open: 2, partial: true }).unwrap();
        let key = NewKey {
            fingerprint: Fingerprint([0; 32]),
            public_key: vec![0],
            bits: 2048,
            custody: Custody::Database,
            sealed_key: vec![0],
        };
        store.add_key(&key).unwrap();
        let node = store.register_node("node", std::time::Duration::from_secs(9)).unwrap();
        let lease = || store.lease(node, Scheme::Ps256, 1).unwrap().remove(0);

        let first = lease();
        let first_row = store.batches(BatchId(0), 1).unwrap().remove(0);
        let mut signatures = SignatureBuf::with_capacity(256, 1);
        signatures.push_zeroed();
        store.commit(&[first.signed(signatures).unwrap()]).unwrap();
        lease();
        let second_row = store.batches(BatchId(1), 1).unwrap().remove(0);
        assert_eq!((first_row.state, first_row.key), (second_row.state, second_row.key));

        let findings = Findings::default();
        let ring = KeyRing::new(&store, Engine::default(), &[], &findings);
        let scan = Scan { store: &store, ring: &ring, findings: &findings, progress: &|_| {} };
        let mut rows = Rows::default();
        assert_eq!(rows.check(&scan, &first_row), Ok(true));
        assert_eq!(rows.check(&scan, &second_row), Ok(true));
        assert_eq!(findings.take(), (vec![], 0));
    }

    proptest! {
        #[test]
        fn the_first_record_seen_twice_is_named(runs in vec((1..40_i64, 0..6_i64), 0..20)) {
            let (mut covered, mut seen) = (Covered::default(), std::collections::BTreeSet::new());
            for (first, length) in runs {
                let expected = (first..=first + length).find(|id| seen.contains(id)).map(RecordId);
                prop_assert_eq!(covered.add(RecordId(first), RecordId(first + length)), expected);
                seen.extend(first..=first + length);
            }
            prop_assert_eq!(covered.0.values().zip(covered.0.keys().skip(1)).find(|(end, next)| *end + 1 >= **next), None);
        }
    }
}
