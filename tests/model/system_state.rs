//! The state of the whole: processes, what they remember of leases, what clients were shown, and the database.

use signwave::domain::{BatchId, Epoch, KeyId, NodeId};

use super::database::{Database, RECORDS, Signature};

/// Processes that sign.
pub const PROCESSES: usize = 3;

/// How far the space reaches: everything else is unbounded, and finite for that.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Leases ever given.
    pub leases: usize,
    /// Node ids ever given, those of the first start included.
    pub ids: i64,
    /// Keys that are active.
    pub keys: i64,
    /// The most signatures of one key.
    pub limit: Option<i64>,
    /// Processes killed.
    pub crashes: u8,
    /// Processes stopped and resumed.
    pub pauses: u8,
    /// Replies to a lease that are lost.
    pub lost_leases: u8,
    /// Whether the transaction that inserts a record may be rolled back.
    pub rollbacks: bool,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SystemState {
    pub database: Database,
    pub processes: [Process; PROCESSES],
    /// Every lease ever given, with what its process remembers of it and what is on the wire.
    pub leases: Vec<Held>,
    /// The first signature that clients were shown for each record.
    pub shown: [Option<Signature>; RECORDS],
    pub crashes: u8,
    pub pauses: u8,
    pub lost_leases: u8,
}

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Who it believes to be.
    pub node: NodeId,
    pub life: Life,
    /// The reply to a lease was lost: it leases nothing until it is somebody else.
    pub is_uncertain: bool,
    /// A key chosen in a transaction of its own; mutants only.
    pub choice: Option<KeyId>,
}

/// What a process is able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Life {
    Running,
    /// It does nothing, but what it has sent may still arrive.
    Paused,
    Dead,
}

/// A lease, as its process remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    pub batch: BatchId,
    pub key: KeyId,
    pub node: NodeId,
    pub epoch: Epoch,
    /// Index of the process.
    pub process: usize,
    pub phase: Phase,
    /// Requests to commit on the wire, each with a signature of its own. They stay for ever: each may
    /// arrive late, never, or several times.
    pub sent: u8,
    /// Whether a request to release is on the wire, in the same way.
    pub is_given_back: bool,
    /// Whether the database ended it otherwise than by a commit: it must store nothing any more.
    pub is_ended: bool,
    /// Whether a transaction before the commit found the lease standing; mutants only.
    pub is_checked: bool,
}

/// How far a process has come with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not begun.
    Leased,
    /// The private key is in use.
    Signing,
    /// Signed, not sent.
    Signed,
    /// The commit was sent.
    Sent,
    /// It was sent again, the same bytes, after it was read back as not stored.
    Resent,
    /// The database answered; the answer has not arrived.
    Answered(Settled),
    /// No answer came.
    Doubtful,
    /// The process knows that it is stored.
    Stored,
    /// The same, from reading it back.
    ReadBackAsStored,
    /// The process knows that it was fenced, and dropped the signatures.
    Fenced,
    /// It goes back, and its process waits for that.
    GivenBack,
    /// The process died, or never heard of the lease.
    Forgotten,
}

/// What an answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settled {
    Committed,
    Fenced,
}

impl Phase {
    /// Whether the process has nothing left to do for it.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Stored | Self::ReadBackAsStored | Self::Fenced | Self::Forgotten)
    }
}

impl SystemState {
    /// Three processes that have just registered.
    pub fn new() -> Self {
        let process = |node| Process { node, life: Life::Running, is_uncertain: false, choice: None };
        Self {
            database: Database::new(),
            processes: [NodeId(1), NodeId(2), NodeId(3)].map(process),
            leases: Vec::new(),
            shown: [None; RECORDS],
            crashes: 0,
            pauses: 0,
            lost_leases: 0,
        }
    }

    /// Whether a process is at work.
    pub fn is_running(&self, process: usize) -> bool {
        self.processes[process].life == Life::Running
    }
}
