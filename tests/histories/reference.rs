//! What a store must hold, as simply as it can be said: records, keys and nodes are numbered from 1 in
//! the order in which they came.

use std::{fmt, ops::Range};

use signwave::{
    domain::{BatchState, CommitVerdict, KeyState, Outcome},
    store::KeyStateVerdict,
};

/// Processes that share the store.
pub const PROCESSES: usize = 3;

/// Everything that a store holds, and what its users remember.
#[derive(Clone)]
pub struct Reference {
    /// Whether the death of a process shows at once.
    pub one_host: bool,
    /// In half minutes.
    pub now: u32,
    pub records: Vec<Record>,
    /// How many of them are in batches: always the first.
    pub batched: usize,
    pub batches: Vec<Batch>,
    pub keys: Vec<Key>,
    /// The numbers of all keys: those used long ago come before those used lately.
    pub order: Vec<usize>,
    /// Every node that ever was.
    pub nodes: Vec<Node>,
    /// The number of the node that each process believes to be.
    pub processes: [Option<usize>; PROCESSES],
    /// Every lease that was ever given: a commit or a release may come late.
    pub leases: Vec<Lease>,
    /// What the last step was answered.
    pub reply: Reply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub name: Option<u8>,
    pub payload: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its records, as indices.
    pub records: Range<usize>,
    pub state: BatchState,
    pub epoch: i64,
    pub key: Option<usize>,
    pub node: Option<usize>,
    /// Which attempt made the signatures that are stored.
    pub attempt: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub state: KeyState,
    pub signatures: usize,
    /// The most signatures that it may have.
    pub limit: Option<usize>,
    /// Whether its time has not come, or is over.
    pub is_out_of_time: bool,
}

impl Key {
    pub fn new() -> Self {
        Self { state: KeyState::Active, signatures: 0, limit: None, is_out_of_time: false }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// When its lease runs out; `None` when it is not registered any more.
    pub until: Option<u32>,
    /// Whether its process died.
    pub is_dead: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub batch: usize,
    pub key: usize,
    pub node: usize,
    pub epoch: i64,
}

/// An answer of the door, by numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Done,
    Refused,
    Added(Vec<Added>),
    Opened {
        opened: usize,
        open: usize,
        leased: usize,
        is_more: bool,
    },
    Node(usize),
    Leased(Vec<Lease>),
    Committed(Vec<CommitVerdict>),
    Outcomes(Vec<Outcome>),
    Batches(usize),
    Renewed(bool),
    Reclaimed(Vec<(usize, usize)>),
    KeyState(KeyStateVerdict),
    /// Whether they were set.
    KeyLimits(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    New,
    /// By index.
    AlreadyThere(usize),
    Conflict,
}

impl Reference {
    /// Some keys, and some records without a name.
    pub fn new(one_host: bool, keys: usize, records: usize) -> Self {
        Self {
            one_host,
            now: 0,
            records: vec![Record { name: None, payload: 0 }; records],
            batched: 0,
            batches: Vec::new(),
            keys: vec![Key::new(); keys],
            order: (1..=keys).collect(),
            nodes: Vec::new(),
            processes: [None; PROCESSES],
            leases: Vec::new(),
            reply: Reply::Done,
        }
    }

    pub fn in_state(&self, state: BatchState) -> usize {
        self.batches.iter().filter(|batch| batch.state == state).count()
    }

    pub fn batch(&self, lease: &Lease) -> &Batch {
        &self.batches[lease.batch - 1]
    }

    pub fn is_registered(&self, node: Option<usize>) -> bool {
        node.is_some_and(|node| self.nodes[node - 1].until.is_some())
    }
}

impl fmt::Debug for Reference {
    /// Where a history begins.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "with {} keys and {} records", self.keys.len(), self.records.len())
    }
}
