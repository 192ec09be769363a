//! The store under test, by the numbers of the reference.

use std::{sync::Arc, time::Duration};

use signwave::{
    domain::{
        BatchId, CommitVerdict, Epoch, InsertVerdict, KeyId, Lease, LimitChange, MaxSignatures, NodeId,
        Reach, RecordId, Runs, Scheme, SignatureBuf, SignedBatch,
    },
    store::{
        AddKeyVerdict, KeyLimitsVerdict, NewRecord, OnConflict, OpenBatches, OpenedBatches, RenewVerdict,
        Store, StoreError,
    },
};

use support::{
    promises::{Promises, Signed},
    store::{by, contents, copy, new_key},
    tested_store::TestedStore,
};

use super::{
    reference::{self, Added, PROCESSES, Record, Reference, Reply},
    rules::{GRACE, TTL},
    steps::{KeyTime, Step},
};

const HALF_MINUTE: Duration = Duration::from_secs(30);

/// Times that no test waits for, and that no test is before.
fn limits_for(time: KeyTime) -> LimitChange {
    let [past, future] =
        ["2000-01-01T00:00:00Z", "9000-01-01T00:00:00Z"].map(|text| Some(text.parse().unwrap()));
    let (from, until) = match time {
        KeyTime::Later => (future, None),
        KeyTime::Over => (None, past),
        KeyTime::Now => (past, future),
    };
    LimitChange { not_before: Some(from), not_after: Some(until), ..LimitChange::default() }
}

/// A node that never was.
const NOBODY: NodeId = NodeId(i64::MAX);

/// A store, and what its users remember.
pub struct Door<'a> {
    tested: &'a TestedStore,
    /// Each process has a store of its own, for as long as it lives.
    processes: [Option<Arc<dyn Store>>; PROCESSES],
    /// The node that each believes to be.
    nodes: [Option<NodeId>; PROCESSES],
    /// The id of each record.
    ids: Vec<RecordId>,
    leases: Vec<Lease>,
    promises: Promises,
}

impl<'a> Door<'a> {
    /// A fresh store, brought to where the history begins.
    pub fn open(tested: &'a TestedStore, start: &Reference) -> Self {
        let promises = Promises::verified_by(is_of_its_lease);
        let (processes, nodes) = (Default::default(), Default::default());
        let mut door = Self { tested, processes, nodes, ids: Vec::new(), leases: Vec::new(), promises };
        (1..=start.keys.len()).for_each(|key| door.add_key(key));
        door.insert(&start.records, OnConflict::Stop);
        door
    }

    fn store(&self) -> &dyn Store {
        &*self.tested.store
    }

    fn process(&mut self, process: usize) -> Arc<dyn Store> {
        Arc::clone(self.processes[process].get_or_insert_with(|| self.tested.other()))
    }

    /// Takes a step, after the reference did.
    pub fn take(&mut self, step: &Step, after: &Reference) -> Reply {
        match step {
            Step::Insert(records, on_conflict) => Reply::Added(self.insert(records, *on_conflict)),
            Step::InsertBeyond(skipped) => {
                let id = self.ids.last().map_or(1, |last| last.0 + 1) + skipped;
                self.tested.insert_at(id).unwrap();
                self.ids.push(RecordId(id));
                Reply::Done
            }
            Step::OpenBatches { batch_size, keep_open, partial } => {
                let (batch_size, keep_open, partial) = (*batch_size, *keep_open, *partial);
                let opened =
                    self.store().open_batches(OpenBatches { batch_size, keep_open, partial }).unwrap();
                self.opened(opened, after)
            }
            Step::Register(process) => {
                let store = self.process(*process);
                if let Some(before) = self.nodes[*process] {
                    store.remove_node(before).unwrap();
                }
                let node = store.register_node("node", HALF_MINUTE * TTL, &Reach::default()).unwrap();
                self.nodes[*process] = Some(node);
                Reply::Node(number(node.0))
            }
            Step::Renew(process) => match self.nodes[*process] {
                None => Reply::Renewed(false),
                Some(node) => {
                    let renewed = self
                        .process(*process)
                        .renew_node(node, HALF_MINUTE * TTL, &Reach::default())
                        .unwrap();
                    Reply::Renewed(renewed == RenewVerdict::Renewed)
                }
            },
            Step::Remove(process) => match self.nodes[*process] {
                None => Reply::Batches(0),
                Some(node) => Reply::Batches(self.process(*process).remove_node(node).unwrap() as usize),
            },
            Step::Crash(process) => {
                let node = self.nodes[*process].take().unwrap_or(NOBODY);
                if let Some(store) = self.processes[*process].take() {
                    self.tested.kill(store, node);
                }
                Reply::Done
            }
            Step::Lease { process, limit } => {
                let node = self.nodes[*process].unwrap_or(NOBODY);
                match self.process(*process).lease(node, Scheme::Ps256, *limit, &Reach::default()) {
                    Err(StoreError::Refused(_)) => Reply::Refused,
                    leases => self.leased(leases.unwrap(), after),
                }
            }
            Step::Commit(by, signed) => {
                let batches: Vec<_> =
                    signed.iter().map(|(lease, attempt)| sign(&self.leases[*lease], *attempt)).collect();
                let verdicts = self.process(*by).commit(&batches).unwrap();
                Reply::Committed(verdicts)
            }
            Step::ReadBack(by, leases) => {
                Reply::Outcomes(self.process(*by).outcomes(&self.named(leases)).unwrap())
            }
            Step::Release(by, leases) => {
                let released = self.process(*by).release(&self.named(leases)).unwrap();
                Reply::Batches(released as usize)
            }
            Step::LetTimePass(minutes) => {
                self.tested.let_time_pass(HALF_MINUTE * 2 * *minutes);
                Reply::Done
            }
            Step::Reclaim(process) => {
                let me = process.and_then(|process| self.nodes[process]);
                let by = process.map_or_else(|| self.tested.store.clone(), |process| self.process(process));
                let reclaimed = by.reclaim(me, HALF_MINUTE * GRACE).unwrap();
                let counted = reclaimed.iter().map(|dead| (number(dead.node.0), dead.batches as usize));
                Reply::Reclaimed(counted.collect())
            }
            Step::AddKey => {
                self.add_key(after.keys.len());
                Reply::Done
            }
            Step::SetKeyState(key, state) => {
                Reply::KeyState(self.store().set_key_state(KeyId(*key as i64), *state, None, &by()).unwrap())
            }
            Step::SetLimit(key, limit) => {
                let limit = limit.map(|limit| MaxSignatures::try_from(limit as i64).unwrap());
                self.set_limits(*key, LimitChange { max_signatures: Some(limit), ..LimitChange::default() })
            }
            Step::SetTime(key, time) => self.set_limits(*key, limits_for(*time)),
        }
    }

    fn insert(&mut self, records: &[Record], on_conflict: OnConflict) -> Vec<Added> {
        let names: Vec<_> = records.iter().map(|record| record.name.map(|name| name.to_string())).collect();
        let payloads: Vec<_> = records.iter().map(|record| [record.payload]).collect();
        let new: Vec<_> = names
            .iter()
            .zip(&payloads)
            .map(|(name, payload)| NewRecord { external_id: name.as_deref(), payload })
            .collect();
        let verdicts = self.store().insert_records(&new, on_conflict).unwrap();
        let added = |verdict| match verdict {
            InsertVerdict::AlreadyThere(id) => {
                Added::AlreadyThere(self.ids.iter().position(|there| *there == id).expect("it was added"))
            }
            InsertVerdict::Conflict => Added::Conflict,
            InsertVerdict::Inserted(id) => {
                assert!(self.ids.last().is_none_or(|last| *last < id), "ids rise");
                self.ids.push(id);
                Added::New
            }
        };
        verdicts.into_iter().map(added).collect()
    }

    fn set_limits(&self, key: usize, change: LimitChange) -> Reply {
        let verdict = self.store().set_key_limits(KeyId(key as i64), &change, &by()).unwrap();
        Reply::KeyLimits(matches!(verdict, KeyLimitsVerdict::Set(_)))
    }

    fn add_key(&mut self, key: usize) {
        let added = self.store().add_key(&new_key(key as u8), &by()).unwrap();
        assert_eq!(added, AddKeyVerdict::Added(KeyId(key as i64)));
    }

    /// It may be uncertain on a server whether more records wait, never that none does.
    fn opened(&self, found: OpenedBatches, after: &Reference) -> Reply {
        let OpenedBatches { opened, open, leased, waiting, waiting_at_most } = found;
        let left = after.records.len() - after.batched;
        assert!(left as u64 <= waiting_at_most, "{left} wait, but {waiting_at_most} at most");
        assert!(waiting.unwrap_or(0) <= left.max(1), "{waiting:?} of {left} wait");
        let is_more = waiting.is_some() && (after.one_host || left > 0);
        Reply::Opened { opened, open, leased, is_more }
    }

    fn leased(&mut self, leases: Vec<Lease>, after: &Reference) -> Reply {
        let given = leases.iter().map(|lease| {
            let batch = number(lease.batch().0);
            assert_eq!(*lease.records(), self.records(&after.batches[batch - 1].records));
            reference::Lease {
                batch,
                key: number(lease.key().0),
                node: number(lease.node().0),
                epoch: lease.epoch().0,
            }
        });
        let reply = Reply::Leased(given.collect());
        self.leases.extend(leases);
        reply
    }

    fn records(&self, records: &std::ops::Range<usize>) -> Runs {
        self.ids[records.clone()].iter().copied().collect()
    }

    fn named(&self, leases: &[usize]) -> Vec<(BatchId, Epoch)> {
        leases.iter().map(|lease| (self.leases[*lease].batch(), self.leases[*lease].epoch())).collect()
    }

    /// What is stored is what the reference has, and no promise is broken.
    pub fn compare(&mut self, reference: &Reference) {
        self.promises.check_rows(&*self.tested.store);
        let batches = self.store().batches(BatchId(0), usize::MAX).unwrap();
        assert_eq!(batches.len(), reference.batches.len(), "batches");
        for (row, batch) in batches.iter().zip(&reference.batches) {
            let found =
                (&row.records, row.state, row.epoch.0, row.key.map(|it| it.0), row.node.map(|it| it.0));
            let signed = |key: usize| key as i64;
            let expected = (
                &self.records(&batch.records),
                batch.state,
                batch.epoch,
                batch.key.map(signed),
                batch.node.map(signed),
            );
            assert_eq!(found, expected, "batch {}", row.id);
        }
        let mut keys = self.store().keys().unwrap();
        let found: Vec<_> = keys.iter().map(|key| (key.state, key.signature_count as usize)).collect();
        assert_eq!(found, reference.keys.iter().map(|key| (key.state, key.signatures)).collect::<Vec<_>>());
        keys.sort_by_key(|key| (key.last_leased, key.id));
        let order: Vec<_> = keys.iter().map(|key| number(key.id.0)).collect();
        assert_eq!(order, reference.order, "keys, least recently used first");
        let nodes: Vec<_> =
            self.store().status().unwrap().nodes.iter().map(|node| number(node.id.0)).collect();
        let registered = (1..=reference.nodes.len()).filter(|node| reference.is_registered(Some(*node)));
        assert_eq!(nodes, registered.collect::<Vec<_>>(), "nodes");
        assert_eq!(self.attempts(), expected_attempts(reference), "which signatures are stored");
    }

    /// For each record, which attempt made the signature that is stored.
    fn attempts(&self) -> Vec<Option<u8>> {
        let Some(all) = self.ids.first().zip(self.ids.last()) else { return Vec::new() };
        let all: Runs = (all.0.0..=all.1.0).map(RecordId).collect();
        let mut attempts = Vec::new();
        self.store()
            .read_signed(&all, &mut |row| attempts.push(row.signature.map(|(_, value)| value[32])))
            .unwrap();
        attempts
    }

    /// Whatever happened, all that is left can still be signed.
    pub fn end(&mut self, reference: &Reference) {
        let tested = self.tested;
        tested.let_time_pass(HALF_MINUTE * TTL * 2);
        tested.store.reclaim(None, HALF_MINUTE * GRACE).unwrap();
        self.add_key(reference.keys.len() + 1);
        let node = tested.store.register_node("last", HALF_MINUTE * TTL, &Reach::default()).unwrap();
        let everything = OpenBatches { batch_size: 7, keep_open: usize::MAX, partial: true };
        tested.store.open_batches(everything).unwrap();
        loop {
            let leases = tested.store.lease(node, Scheme::Ps256, 9, &Reach::default()).unwrap();
            if leases.is_empty() {
                break;
            }
            let batches: Vec<_> = leases.iter().map(|lease| sign(lease, 0)).collect();
            let verdicts = tested.store.commit(&batches).unwrap();
            assert!(verdicts.iter().all(|verdict| *verdict == CommitVerdict::Committed));
        }
        assert_eq!(tested.store.status().unwrap().waiting(), 0);
        self.promises.check(&*tested.store);
    }
}

fn expected_attempts(reference: &Reference) -> Vec<Option<u8>> {
    let batched = reference.batches.iter().flat_map(|batch| batch.records.clone().map(|_| batch.attempt));
    let waiting = reference.records.len() - reference.batched;
    batched.chain(std::iter::repeat_n(None, waiting)).collect()
}

/// Stands in for signing: a signature says under which lease it was made, and in which attempt.
fn sign(lease: &Lease, attempt: u8) -> SignedBatch {
    let mut signatures = SignatureBuf::with_capacity(256, lease.records().len() as usize);
    for record in lease.records().iter() {
        let signature = signatures.push_zeroed();
        signature[..32].copy_from_slice(&name(record, lease.epoch(), lease.key(), lease.batch()));
        signature[32] = attempt;
    }
    copy(lease).signed(&contents(lease), signatures).unwrap()
}

fn is_of_its_lease(signed: Signed<'_>) -> bool {
    let Signed { batch, key, record, signature, .. } = signed;
    signature[..32] == name(record, batch.epoch, key.id, batch.id)
}

fn name(record: RecordId, epoch: Epoch, key: KeyId, batch: BatchId) -> [u8; 32] {
    let mut name = [0; 32];
    for (part, number) in name.chunks_exact_mut(8).zip([record.0, epoch.0, key.0, batch.0]) {
        part.copy_from_slice(&number.to_be_bytes());
    }
    name
}

fn number(id: i64) -> usize {
    id as usize
}
