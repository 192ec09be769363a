//! The rules: what each step makes of the reference, and how it is answered.

use signwave::{
    domain::{BatchState, CommitVerdict, Epoch, KeyState, NodeId, Outcome},
    store::{KeyStateVerdict, OnConflict},
};

use super::{
    reference::{Added, Batch, Key, Lease, Node, Record, Reference, Reply},
    steps::{KeyTime, Step},
};

/// How long a node's lease runs, in half minutes.
pub const TTL: u32 = 4;
/// For how long after that it is not yet dead. Time passes by whole minutes, leases end at whole minutes:
/// nothing depends on how fast a test runs, as long as that is less than half a minute.
pub const GRACE: u32 = 1;

impl Reference {
    /// Takes a step.
    pub fn after(mut self, step: &Step) -> Self {
        self.reply = match step {
            Step::Insert(records, on_conflict) => Reply::Added(self.insert(records, *on_conflict)),
            Step::InsertBeyond(_) => {
                self.records.push(Record { name: None, payload: 0 });
                Reply::Done
            }
            Step::OpenBatches { batch_size, keep_open, partial } => {
                self.open_batches(*batch_size, *keep_open, *partial)
            }
            Step::Register(process) => {
                self.remove(self.processes[*process]);
                self.nodes.push(Node { until: Some(self.now + TTL), is_dead: false });
                self.processes[*process] = Some(self.nodes.len());
                Reply::Node(self.nodes.len())
            }
            Step::Renew(process) => {
                let node = self.processes[*process];
                let is_registered = self.is_registered(node);
                if let Some(node) = node.filter(|_| is_registered) {
                    self.nodes[node - 1].until = Some(self.now + TTL);
                }
                Reply::Renewed(is_registered)
            }
            Step::Remove(process) => Reply::Batches(self.remove(self.processes[*process])),
            Step::Crash(process) => {
                if let Some(node) = self.processes[*process].take() {
                    self.nodes[node - 1].is_dead = true;
                }
                Reply::Done
            }
            Step::Lease { process, limit } => self.lease(self.processes[*process], *limit),
            Step::Commit(_, signed) => Reply::Committed(
                signed.iter().map(|(lease, attempt)| self.commit(*lease, *attempt)).collect(),
            ),
            Step::ReadBack(_, leases) => {
                Reply::Outcomes(leases.iter().map(|lease| self.outcome(*lease)).collect())
            }
            Step::Release(_, leases) => {
                Reply::Batches(leases.iter().filter(|lease| self.release(**lease)).count())
            }
            Step::LetTimePass(minutes) => {
                self.now += 2 * minutes;
                Reply::Done
            }
            Step::Reclaim(process) => {
                Reply::Reclaimed(self.reclaim(process.and_then(|it| self.processes[it])))
            }
            Step::AddKey => {
                self.keys.push(Key::new());
                // It was never used: it comes before all that were, and after the others.
                let used = self.order.iter().position(|key| self.was_used(*key)).unwrap_or(self.order.len());
                self.order.insert(used, self.keys.len());
                Reply::Done
            }
            Step::SetKeyState(key, state) => Reply::KeyState(self.set_key_state(*key, *state)),
            Step::SetLimit(key, limit) => Reply::KeyLimits(self.set_limit(*key, *limit)),
            Step::SetTime(key, time) => Reply::KeyLimits(self.set_time(*key, *time)),
        };
        self
    }

    /// Names are unique; the first conflict may end it.
    fn insert(&mut self, records: &[Record], on_conflict: OnConflict) -> Vec<Added> {
        let mut added = Vec::new();
        for record in records {
            let is_named = |there: &Record| record.name.is_some() && there.name == record.name;
            let there = self.records.iter().position(is_named);
            added.push(match there {
                None => Added::New,
                Some(there) if self.records[there].payload == record.payload => Added::AlreadyThere(there),
                Some(_) => Added::Conflict,
            });
            match added.last() {
                Some(Added::New) => self.records.push(*record),
                Some(Added::Conflict) if on_conflict == OnConflict::Stop => break,
                _ => {}
            }
        }
        added
    }

    fn open_batches(&mut self, batch_size: usize, keep_open: usize, partial: bool) -> Reply {
        let mut opened = 0;
        while self.in_state(BatchState::Open) < keep_open {
            let count = batch_size.min(self.records.len() - self.batched);
            if count == 0 || (count < batch_size && !partial) {
                break;
            }
            let records = self.batched..self.batched + count;
            self.batched += count;
            opened += 1;
            let (key, node, attempt) = (None, None, None);
            self.batches.push(Batch { records, state: BatchState::Open, epoch: 0, key, node, attempt });
        }
        let (open, leased) = (self.in_state(BatchState::Open), self.in_state(BatchState::Leased));
        Reply::Opened { opened, open, leased, is_more: self.batched < self.records.len() }
    }

    fn was_used(&self, key: usize) -> bool {
        self.leases.iter().any(|lease| lease.key == key)
    }

    /// The oldest open batches, each with the idle active key that was not used for the longest time, of those that may
    /// sign so many records.
    fn lease(&mut self, node: Option<usize>, limit: usize) -> Reply {
        let Some(node) = node.filter(|node| self.is_registered(Some(*node))) else { return Reply::Refused };
        let mut given = Vec::new();
        for oldest in 0..self.batches.len() {
            if given.len() == limit || self.batches[oldest].state != BatchState::Open {
                continue;
            }
            let records = self.batches[oldest].records.len();
            let may_sign = |key: &usize| {
                let Key { state, signatures, limit, is_out_of_time } = self.keys[key - 1];
                let is_enough = limit.is_none_or(|limit| signatures + records <= limit);
                let holds = |batch: &Batch| batch.state == BatchState::Leased && batch.key == Some(*key);
                state == KeyState::Active && is_enough && !is_out_of_time && !self.batches.iter().any(holds)
            };
            let Some(place) = self.order.iter().position(may_sign) else { continue };
            let key = self.order.remove(place);
            self.order.push(key);
            let batch = &mut self.batches[oldest];
            batch.epoch += 1;
            (batch.state, batch.key, batch.node) = (BatchState::Leased, Some(key), Some(node));
            given.push(Lease { batch: oldest + 1, key, node, epoch: batch.epoch });
        }
        self.leases.extend(&given);
        Reply::Leased(given)
    }

    fn commit(&mut self, lease: usize, attempt: u8) -> CommitVerdict {
        let lease = self.leases[lease];
        let batch = &mut self.batches[lease.batch - 1];
        if (batch.state, batch.epoch) != (BatchState::Leased, lease.epoch) {
            let node = batch.node.map(|node| NodeId(node as i64));
            return CommitVerdict::Fenced { state: batch.state, epoch: Epoch(batch.epoch), node };
        }
        (batch.state, batch.node, batch.attempt) = (BatchState::Signed, None, Some(attempt));
        self.keys[lease.key - 1].signatures += batch.records.len();
        CommitVerdict::Committed
    }

    fn outcome(&self, lease: usize) -> Outcome {
        let lease = &self.leases[lease];
        let batch = self.batch(lease);
        match batch.state {
            BatchState::Signed if batch.epoch == lease.epoch => Outcome::Stored,
            BatchState::Leased if batch.epoch == lease.epoch => Outcome::NotStored,
            _ => Outcome::Fenced,
        }
    }

    /// Whether the lease still stood.
    fn release(&mut self, lease: usize) -> bool {
        let lease = self.leases[lease];
        let batch = &mut self.batches[lease.batch - 1];
        let stands = (batch.state, batch.epoch) == (BatchState::Leased, lease.epoch);
        if stands {
            give_back(batch);
        }
        stands
    }

    /// Takes away what a node holds, and the node; returns how many batches it held.
    fn remove(&mut self, node: Option<usize>) -> usize {
        let Some(node) = node else { return 0 };
        self.nodes[node - 1].until = None;
        let held = self.batches.iter_mut().filter(|batch| batch.node == Some(node));
        held.map(give_back).count()
    }

    fn reclaim(&mut self, me: Option<usize>) -> Vec<(usize, usize)> {
        let (now, one_host) = (self.now, self.one_host);
        let is_dead =
            |node: &Node| node.until.is_some_and(|until| until + GRACE < now || (one_host && node.is_dead));
        let dead: Vec<_> =
            (1..).zip(&self.nodes).filter(|(_, node)| is_dead(node)).map(|(id, _)| id).collect();
        let others = dead.into_iter().filter(|id| Some(*id) != me);
        others.map(|id| (id, self.remove(Some(id)))).collect()
    }

    /// A retired key stays so.
    fn set_key_state(&mut self, key: usize, state: KeyState) -> KeyStateVerdict {
        match self.keys.get_mut(key - 1) {
            None => KeyStateVerdict::NoSuchKey,
            Some(key) if key.state == KeyState::Retired && state != KeyState::Retired => {
                KeyStateVerdict::Refused(KeyState::Retired)
            }
            Some(key) => KeyStateVerdict::Changed(std::mem::replace(&mut key.state, state)),
        }
    }

    /// Not lower than what the key has signed and is signing.
    fn set_limit(&mut self, key: usize, limit: Option<usize>) -> bool {
        let holds = |batch: &&Batch| batch.state == BatchState::Leased && batch.key == Some(key);
        let leased = self.batches.iter().find(holds).map_or(0, |batch| batch.records.len());
        let key = self.keys.get_mut(key - 1).filter(|key| key.state != KeyState::Retired);
        let key = key.filter(|key| limit.is_none_or(|limit| key.signatures + leased <= limit));
        key.map(|key| key.limit = limit).is_some()
    }

    fn set_time(&mut self, key: usize, time: KeyTime) -> bool {
        let key = self.keys.get_mut(key - 1).filter(|key| key.state != KeyState::Retired);
        key.map(|key| key.is_out_of_time = time != KeyTime::Now).is_some()
    }
}

fn give_back(batch: &mut Batch) {
    batch.epoch += 1;
    (batch.state, batch.key, batch.node) = (BatchState::Open, None, None);
}
