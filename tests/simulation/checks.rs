//! What is checked after each step: every promise that the store shows, and those that only the simulation
//! can see.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use signwave::{
    actors::Counters,
    domain::{BatchId, BatchState, DigestAlgorithm, Epoch, Fingerprint, KeyId, SignedBatch},
    signer,
    store::{BatchRow, Store},
};
use support::promises::Promises;

use crate::signers::Ledger;

#[derive(Default)]
pub struct Checks {
    promises: Promises,
    last: Vec<BatchRow>,
    seen: BTreeSet<BatchId>,
    /// From when to when a key was used, by each job whose signatures are stored.
    used: HashMap<Fingerprint, Vec<(u64, u64)>>,
    /// Records that each process had stored.
    stored: BTreeMap<usize, u64>,
    shown: BTreeMap<usize, Arc<Counters>>,
    /// What each process sent to be stored, and how many of these batches are.
    sent: BTreeMap<usize, BTreeSet<(BatchId, Epoch)>>,
    stored_batches: BTreeMap<usize, usize>,
}

impl Checks {
    /// What this process says of itself is compared with what is stored.
    pub fn watch(&mut self, process: usize, progress: Arc<Counters>) {
        self.shown.insert(process, progress);
    }

    pub fn sent(&mut self, process: usize, batches: &[SignedBatch]) {
        let leases = batches.iter().map(|batch| (batch.lease().batch(), batch.lease().epoch()));
        self.sent.entry(process).or_default().extend(leases);
    }

    /// As [`Checks::check`], unless every batch is as it was at the last check: then nothing was stored.
    pub fn check_if_changed(&mut self, store: &dyn Store, ledger: &Ledger) {
        let batches = store.batches(BatchId(0), usize::MAX).unwrap();
        if batches != self.last {
            self.last = batches;
            self.check(store, ledger);
        }
    }

    pub fn check(&mut self, store: &dyn Store, ledger: &Ledger) {
        self.promises.check(store);
        let keys: BTreeMap<_, _> =
            store.keys().unwrap().into_iter().map(|key| (key.id, key.fingerprint)).collect();
        for batch in store.batches(BatchId(0), usize::MAX).unwrap() {
            // P4: it rises by one when a batch is leased, and by one when it goes back.
            let is_odd = batch.epoch.0 % 2 == 1;
            assert_eq!(is_odd, batch.state != BatchState::Open, "the epoch of batch {}", batch.id);
            if batch.state == BatchState::Signed && self.seen.insert(batch.id) {
                self.check_new(&batch, &keys, store, ledger);
            }
        }
        for (process, progress) in &self.shown {
            let stored = self.stored.get(process).copied().unwrap_or(0);
            assert!(progress.signed() <= stored, "process {process} shows {} of {stored}", progress.signed());
            let sent = self.sent.get(process).map_or(0, BTreeSet::len);
            let dropped = sent - self.stored_batches.get(process).copied().unwrap_or(0);
            let fenced = progress.fenced() as usize;
            assert!(fenced <= dropped, "process {process} takes for fenced what it had stored");
        }
    }

    /// P3: the signatures of a batch are of one job, of the batch's key, of the records' digests. P2, between
    /// processes: no two jobs whose signatures are stored used a key at the same time.
    fn check_new(
        &mut self,
        batch: &BatchRow,
        keys: &BTreeMap<KeyId, Fingerprint>,
        store: &dyn Store,
        ledger: &Ledger,
    ) {
        let key = keys[&batch.key.unwrap()];
        let mut jobs = BTreeSet::new();
        let mut look = |row: signwave::store::SignedRow<'_>| {
            let (_, value) = row.signature.unwrap();
            assert_eq!(value[..32], key.0, "the key of record {}", row.record);
            let digest = signer::digest(DigestAlgorithm::Sha256, row.payload);
            assert_eq!(&value[32..64], digest.as_bytes(), "the digest of record {}", row.record);
            jobs.insert(u64::from_be_bytes(value[64..72].try_into().unwrap()));
        };
        store.read_signed(&batch.records, &mut look).unwrap();
        assert_eq!(jobs.len(), 1, "batch {} is of one job", batch.id);
        let job = ledger.job(*jobs.first().unwrap());
        assert_eq!(job.key, Some(key));
        let (begun, ended) = (job.begun, job.ended.expect("it is done before it is stored"));
        let used = self.used.entry(key).or_default();
        let overlaps = |other: &(u64, u64)| begun < other.1 && other.0 < ended;
        assert!(!used.iter().any(overlaps), "key {key} was used twice at once, and both are stored");
        used.push((begun, ended));
        *self.stored.entry(job.process).or_default() += batch.records.len();
        *self.stored_batches.entry(job.process).or_default() += 1;
    }

    /// A process that settled everything shows all that it had stored.
    pub fn not_shown(&self, process: usize) -> Option<String> {
        let stored = self.stored.get(&process).copied().unwrap_or(0);
        let shown = self.shown[&process].signed();
        (shown != stored).then(|| format!("process {process} shows {stored} records, but {shown}"))
    }
}
