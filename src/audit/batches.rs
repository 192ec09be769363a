//! Checks every batch, page by page: the rows here, the records on other threads.

use std::{collections::HashMap, panic::resume_unwind, sync::Arc, thread};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    Problem,
    scan::Scan,
    signatures::{Checking, Piece, check_piece},
};
use crate::{
    domain::{
        BatchId, BatchState, Runs,
        ledger::Hash,
        promises::{Batches, Breach},
    },
    signer::LANES,
    store::{BatchRow, StoreError},
};

/// Batches read at a time.
const PAGE: usize = 500;
/// How many ids are tried one by one where batches cannot be read, before the check gives up on the rest.
const STEPS: usize = 10_000;
/// Records that one thread checks at a time: enough to hide the cost of the queue, few enough to spread evenly, whole groups
/// of signatures, and a power of two.
pub(super) const PIECE: usize = 64 * LANES;

impl Scan<'_> {
    /// Reads all batches and checks their records on `threads` threads. Returns how many signatures verified.
    pub(super) fn run(&self, threads: usize, batches: &mut Batches) -> Result<u64, StoreError> {
        let (to_threads, pieces) = bounded(2 * threads);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    let pieces = pieces.clone();
                    scope.spawn(move || self.check_pieces(&pieces))
                })
                .collect();
            drop(pieces);
            let read = self.read_batches(to_threads, batches);
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

    fn read_batches(&self, to_threads: Sender<Piece>, batches: &mut Batches) -> Result<(), StoreError> {
        let mut after = BatchId(0);
        loop {
            let page = match self.store.batches(after, PAGE) {
                Err(StoreError::Corrupt(_)) => self.readable(after)?,
                page => page?,
            };
            let Some(last) = page.last() else { return Ok(()) };
            let roots = self.records_roots(BatchId(after.0 + 1), last.id)?;
            after = last.id;
            for batch in page {
                self.check_row(batches, &batch)?;
                let is_readable = batch.records.len() <= BatchRow::MAX_RECORDS as u64;
                let receipt = roots.get(&batch.id).copied().filter(|_| batch.state == BatchState::Signed);
                if is_readable && self.hand_out(Checking::new(batch, receipt), &to_threads).is_err() {
                    return Ok(()); // every thread has failed and reports its error
                }
            }
        }
    }

    /// The roots of these batches in their receipts, which are read after the batches.
    fn records_roots(&self, first: BatchId, last: BatchId) -> Result<HashMap<BatchId, Hash>, StoreError> {
        match self.store.records_roots(first, last) {
            Err(StoreError::Corrupt(reason)) => {
                self.findings.add(Problem::Unreadable { what: "a receipt".to_owned(), reason });
                Ok(HashMap::new())
            }
            roots => Ok(roots?.into_iter().collect()),
        }
    }

    fn check_row(&self, batches: &mut Batches, batch: &BatchRow) -> Result<(), StoreError> {
        for breach in batches.see(batch) {
            if self.stands(&breach)? {
                self.findings.add(breach);
            }
        }
        Ok(())
    }

    /// Whether the breach is real. Two batches that were read at different times may have used a key one after
    /// the other. The key is in use twice only if the first batch still has the lease that was read.
    fn stands(&self, breach: &Breach) -> Result<bool, StoreError> {
        let Breach::KeyLeasedTwice { first, epoch, .. } = *breach else { return Ok(true) };
        let now = self.reread(first)?;
        Ok(now.is_some_and(|now| (now.state, now.epoch) == (BatchState::Leased, epoch)))
    }

    fn hand_out(
        &self,
        batch: Checking,
        to_threads: &Sender<Piece>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let batch = Arc::new(batch);
        let mut ids = batch.row().records.iter();
        let pieces = batch.row().records.len().div_ceil(PIECE as u64) as usize;
        for nth in 0..pieces {
            let records: Runs = ids.by_ref().take(PIECE).collect();
            to_threads.send(Piece { batch: Arc::clone(&batch), place: (nth, pieces), records })?;
        }
        Ok(())
    }

    /// Reads a page one by one, because one of its batches cannot be read, and reports the unreadable batch.
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
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::{findings::Findings, keys::VerifyingKeys},
        *,
    };
    use crate::{
        domain::{
            By, Contents, DigestAlgorithm, Fingerprint, KeyLimits, KeyMaterial, NodeId, Reach, Scheme,
            SignatureBuf, Who,
        },
        signer::{self, Engine},
        store::{self, DatabaseUrl, NewKey, NewRecord, OnConflict, OpenBatches, Store},
    };

    /// A store with open batches of `batch_size` records, one key with a damaged public half, and a node.
    fn store(records: usize, batch_size: usize) -> (tempfile::TempDir, Arc<dyn Store>, NodeId) {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("signwave.db"));
        store::migrate(&url).unwrap();
        let store = store::open(&url).unwrap();
        store
            .insert_records(&vec![NewRecord { external_id: None, payload: b"" }; records], OnConflict::Stop)
            .unwrap();
        store.open_batches(OpenBatches { batch_size, keep_open: 2, partial: true }).unwrap();
        let key = NewKey {
            fingerprint: Fingerprint([0; 32]),
            public_key: vec![0],
            bits: 2048,
            material: KeyMaterial::Sealed(vec![0]),
            limits: KeyLimits::default(),
        };
        store.add_key(&key, &By::without_request(Who::CommandLine("tester".to_owned()))).unwrap();
        let node = store.register_node("node", std::time::Duration::from_secs(9), &Reach::default()).unwrap();
        (folder, store, node)
    }

    /// As many digests of nothing.
    fn contents(count: usize) -> Contents {
        let mut contents = Contents::default();
        (0..count).for_each(|_| contents.push(signer::digest(DigestAlgorithm::Sha256, b""), None));
        contents
    }

    #[test]
    fn a_key_that_is_missing_is_named_once_for_a_batch_of_any_size() {
        let (_folder, store, node) = store(2 * PIECE + 1, 2 * PIECE + 1);
        let lease = store.lease(node, Scheme::Ps256, 1, &Reach::default()).unwrap().remove(0);
        let mut signatures = SignatureBuf::with_capacity(256, 2 * PIECE + 1);
        (0..2 * PIECE + 1).for_each(|_| _ = signatures.push_zeroed());
        store.commit(&[lease.signed(&contents(2 * PIECE + 1), signatures).unwrap()]).unwrap();
        let report = super::super::check_all(&*store, Engine::default(), 2, Vec::new(), &|_| {}).unwrap();
        let is_no_key = |problem: &&Problem| matches!(problem, Problem::Broken(Breach::NoKey { .. }));
        assert_eq!(report.problems.iter().filter(is_no_key).count(), 1, "{:?}", report.problems);
    }

    #[test]
    fn a_key_that_went_from_one_batch_to_the_next_meanwhile_is_not_in_use_twice() {
        let (_folder, store, node) = store(2, 1);
        let lease = || store.lease(node, Scheme::Ps256, 1, &Reach::default()).unwrap().remove(0);

        let first = lease();
        let first_row = store.batches(BatchId(0), 1).unwrap().remove(0);
        let mut signatures = SignatureBuf::with_capacity(256, 1);
        signatures.push_zeroed();
        store.commit(&[first.signed(&contents(1), signatures).unwrap()]).unwrap();
        lease();
        let second_row = store.batches(BatchId(1), 1).unwrap().remove(0);
        assert_eq!((first_row.state, first_row.key), (second_row.state, second_row.key));

        let total = |rows: [&BatchRow; 2]| {
            let (findings, mut batches) = (Findings::default(), Batches::default());
            let keys = VerifyingKeys::new(&*store, Engine::default(), &[], &findings);
            let scan = Scan { store: &*store, keys: &keys, findings: &findings, progress: &|_| {} };
            assert!(rows.iter().all(|row| scan.check_row(&mut batches, row).is_ok()));
            findings.take().1
        };
        assert_eq!(total([&first_row, &second_row]), 0);
        // In the other order, the lease that was read first still stands.
        assert_eq!(total([&second_row, &first_row]), 1);
    }
}
