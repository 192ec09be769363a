//! The database: its rows, and the transactions on them. Each method is one transaction, unless a
//! mutant takes it apart.

use signwave::domain::{
    BatchId, BatchState, CommitVerdict, Epoch, IdleKeys, KeyId, KeyState, KeyUse, NodeId, RecordId, Runs,
};

use super::{
    mutants::Mutant,
    system_state::{Bounds, Held, PROCESSES},
};

/// Records, the first and the last visible from the beginning, those between written by transactions
/// that still run.
pub const RECORDS: usize = 3;
/// Keys.
pub const KEYS: usize = 2;
/// The key that may have a limit.
pub const LIMITED: KeyId = KeyId(1);
/// Records in a full batch.
pub const BATCH_SIZE: usize = 2;

/// All rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Database {
    pub records: [Record; RECORDS],
    /// Ids that were missing when batches were formed above them.
    pub gaps: [bool; RECORDS],
    pub batches: Vec<Batch>,
    /// The place of each key in the order of use.
    pub last_leased: [i64; KEYS],
    /// Nodes that are registered.
    pub nodes: Vec<NodeId>,
    pub next_node: NodeId,
    /// At most one for each record; the second place is for mutants.
    pub signatures: [[Option<Signature>; 2]; RECORDS],
}

/// What is to be seen of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// Its id is drawn, its transaction runs.
    Invisible,
    Visible,
    RolledBack,
}

/// A row of `batch`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    pub runs: Runs,
    pub state: BatchState,
    pub epoch: Epoch,
    pub key: Option<KeyId>,
    pub node: Option<NodeId>,
}

/// A signature is named by the lease under which it was made, and by which attempt: signing twice gives
/// two different signatures (RSASSA-PSS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    pub lease: usize,
    pub attempt: u8,
}

impl Database {
    pub fn new() -> Self {
        let mut records = [Record::Invisible; RECORDS];
        records[0] = Record::Visible;
        records[RECORDS - 1] = Record::Visible;
        Self {
            records,
            gaps: [false; RECORDS],
            batches: Vec::new(),
            last_leased: [0; KEYS],
            nodes: (1..=PROCESSES as i64).map(NodeId).collect(),
            next_node: NodeId(PROCESSES as i64 + 1),
            signatures: [[None; 2]; RECORDS],
        }
    }

    pub fn batch(&self, batch: BatchId) -> &Batch {
        &self.batches[batch.0 as usize - 1]
    }

    pub fn batch_mut(&mut self, batch: BatchId) -> &mut Batch {
        &mut self.batches[batch.0 as usize - 1]
    }

    pub fn is_registered(&self, node: NodeId) -> bool {
        self.nodes.contains(&node)
    }

    /// The highest id in any batch.
    pub fn frontier(&self) -> RecordId {
        self.batches.iter().filter_map(|batch| batch.runs.last()).max().unwrap_or(RecordId(0))
    }

    pub fn is_visible(&self, record: RecordId) -> bool {
        self.records[index(record)] == Record::Visible
    }

    /// Forms one batch: first of records that became visible in gaps that nobody can fill any more,
    /// then of those above the frontier. What is missing beside them is a gap from now on.
    pub fn open_batch(&mut self, mutant: Option<Mutant>) {
        let frontier = self.frontier();
        let mut ids = Vec::new();
        for record in (1..=RECORDS as i64).map(RecordId) {
            let is_closed =
                self.records[index(record)] != Record::Invisible || mutant == Some(Mutant::GapClosedTooEarly);
            if record < frontier && self.gaps[index(record)] && is_closed && ids.len() < BATCH_SIZE {
                self.gaps[index(record)] = false;
                ids.extend(Some(record).filter(|record| self.is_visible(*record)));
            }
        }
        let above = (frontier.0 + 1..=RECORDS as i64).map(RecordId).filter(|record| self.is_visible(*record));
        ids.extend(above);
        ids.truncate(BATCH_SIZE);
        let Some(last) = ids.last().copied() else { return };
        for missing in (frontier.0 + 1..last.0).map(RecordId).filter(|record| !ids.contains(record)) {
            self.gaps[index(missing)] = mutant != Some(Mutant::LateRecordsIgnored);
        }
        self.batches.push(Batch {
            runs: ids.into_iter().collect(),
            state: BatchState::Open,
            epoch: Epoch(0),
            key: None,
            node: None,
        });
    }

    /// The key that signs next, by the service's own rule.
    pub fn next_key(&self, bounds: Bounds, mutant: Option<Mutant>) -> Option<KeyId> {
        let uses = self.last_leased.iter().zip(1..).map(|(last_leased, id)| KeyUse {
            id: KeyId(id),
            state: if id <= bounds.keys { KeyState::Active } else { KeyState::Disabled },
            barred: false,
            leased: self.is_leased(KeyId(id)),
            last_leased: *last_leased,
            left: self.left(KeyId(id), bounds, mutant),
        });
        let mut idle = IdleKeys::least_recently_used(uses);
        let open = self.batches.iter().filter(|batch| batch.state == BatchState::Open);
        open.filter_map(|batch| idle.take(batch.runs.len() as i64)).next()
    }

    /// How many more signatures the limit of a key allows.
    fn left(&self, key: KeyId, bounds: Bounds, mutant: Option<Mutant>) -> Option<i64> {
        let made = if mutant == Some(Mutant::LimitOfOneBatch) { 0 } else { self.signed_with(key) };
        bounds.limit.filter(|_| key == LIMITED).map(|limit| limit - made)
    }

    /// How many records are signed with a key.
    pub fn signed_with(&self, key: KeyId) -> i64 {
        let is_signed = |batch: &&Batch| batch.state == BatchState::Signed && batch.key == Some(key);
        self.batches.iter().filter(is_signed).map(|batch| batch.runs.len() as i64).sum()
    }

    fn is_leased(&self, key: KeyId) -> bool {
        self.batches.iter().any(|batch| batch.state == BatchState::Leased && batch.key == Some(key))
    }

    /// Leases the oldest open batch that a key may sign to a node; it must be registered.
    pub fn lease(
        &mut self,
        node: NodeId,
        key: KeyId,
        bounds: Bounds,
        mutant: Option<Mutant>,
    ) -> Option<(BatchId, Epoch)> {
        let is_unique = mutant != Some(Mutant::KeysChosenApart); // the index on leased keys
        if !self.is_registered(node) || (is_unique && self.is_leased(key)) {
            return None;
        }
        let left = self.left(key, bounds, mutant);
        let may_sign = |batch: &Batch| left.is_none_or(|left| batch.runs.len() as i64 <= left);
        let is_meant = |batch: &Batch| batch.state == BatchState::Open && may_sign(batch);
        let oldest = self.batches.iter().position(is_meant)?;
        let id = BatchId(oldest as i64 + 1);
        let batch = self.batch_mut(id);
        batch.state = BatchState::Leased;
        batch.node = Some(node);
        batch.key = Some(key);
        if !matches!(mutant, Some(Mutant::EpochNotRaisedAtLease | Mutant::EpochNeverRaised)) {
            batch.epoch = batch.epoch.next();
        }
        let epoch = batch.epoch;
        // Only the order matters: places are counted from the end, so that they stay small.
        self.last_leased.iter_mut().for_each(|place| *place = (*place - 1).max(0));
        self.last_leased[key.0 as usize - 1] = KEYS as i64;
        Some((id, epoch))
    }

    /// What a commit finds: whether the lease stands, by the condition of its UPDATE.
    pub fn judge(&self, lease: &Held, mutant: Option<Mutant>) -> CommitVerdict {
        let batch = self.batch(lease.batch);
        let stands = match mutant {
            Some(Mutant::NoFence) => true,
            Some(Mutant::FenceByStateOnly) => batch.state == BatchState::Leased,
            _ => {
                batch.state == BatchState::Leased
                    && batch.epoch == lease.epoch
                    && batch.node == Some(lease.node)
            }
        };
        if stands {
            CommitVerdict::Committed
        } else {
            CommitVerdict::Fenced { state: batch.state, epoch: batch.epoch, node: batch.node }
        }
    }

    /// Stores signatures. The primary key refuses a second one, and with it the whole transaction;
    /// returns whether they were taken.
    pub fn insert_signatures(&mut self, batch: BatchId, signature: Signature, is_unique: bool) -> bool {
        let records: Vec<_> = self.batch(batch).runs.iter().map(index).collect();
        if is_unique && records.iter().any(|record| self.signatures[*record][0].is_some()) {
            return false;
        }
        for record in records {
            let rows = &mut self.signatures[record];
            if let Some(free) = rows.iter_mut().find(|row| row.is_none()) {
                *free = Some(signature);
            }
        }
        true
    }

    pub fn mark_signed(&mut self, batch: BatchId) {
        let batch = self.batch_mut(batch);
        batch.state = BatchState::Signed;
        batch.node = None;
    }

    /// Ends a lease otherwise than by a commit.
    pub fn give_back(&mut self, batch: BatchId, raise: bool) {
        let batch = self.batch_mut(batch);
        batch.state = BatchState::Open;
        batch.node = None;
        batch.key = None;
        if raise {
            batch.epoch = batch.epoch.next();
        }
    }

    /// Adds a node.
    pub fn register(&mut self) -> NodeId {
        let node = self.next_node;
        self.next_node = NodeId(node.0 + 1);
        self.nodes.push(node);
        node
    }
}

/// Where a record is in the arrays.
pub fn index(record: RecordId) -> usize {
    record.0 as usize - 1
}
