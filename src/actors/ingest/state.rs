//! The state of Ingest, and what it does next. No actor, no clock, no database. ARCHITECTURE.md has a diagram of
//! these states.

use super::{
    holdings::{Done, Findings, Holdings, Snapshot},
    rooms::{Room, Rooms, Speeds},
};
use crate::{actors::share::ShareId, domain::NodeId};

/// Everything that decides what Ingest does next.
#[derive(Debug)]
pub(super) struct State {
    /// What this node holds.
    pub holdings: Holdings,
    /// What it may lease.
    pub rooms: Rooms,
    taking: Taking,
    gathering: Gathering,
    /// The number of outages when the holdings were last compared with the database; `None` if the holdings must
    /// be compared before anything more is leased.
    compared_after: Option<u64>,
}

/// How leases are taken. Only one attempt is under way at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taking {
    /// Nothing is to be tried until the next wake.
    Resting,
    /// There may be something to lease.
    Woken,
    /// Batches are being leased. `again`: Ingest was woken since, so there may be more to lease.
    Leasing { again: bool },
    /// The database is asked what this node holds.
    Comparing,
    /// This node may hold leases that it does not know. It leases nothing more, and changes its identity as soon
    /// as nothing is in hand but what custodians sign outside this process: that may take however long, and is given up.
    Uncertain,
    /// This node no longer holds what it is signing. It changes its identity at once.
    Disowned,
    /// The node gives up its id with all its leases, and registers under a new one.
    ChangingIdentity,
}

/// Whether finished batches wait for others, to be stored together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gathering {
    /// They do not wait.
    Not,
    /// They wait for a moment.
    Waiting,
    /// The moment is over.
    Over,
}

/// The facts that Ingest does not control.
#[derive(Clone, Copy)]
pub(super) struct Situation<'a> {
    /// Whether the service has not been told to stop.
    pub is_running: bool,
    /// This node, while its lease can be trusted.
    pub node: Option<NodeId>,
    /// How often the database could not be reached.
    pub outages: u64,
    /// How fast each share signs.
    pub speeds: Speeds<'a>,
}

/// What to do now.
#[derive(Debug)]
pub(super) enum Step {
    /// Store and release what is done. [`State::settled`] follows.
    Settle(Done),
    /// Wait a moment for more finished batches. [`State::gathered`] follows.
    Gather,
    /// Ask the database what this node holds. [`State::compared`] or [`State::not_compared`] follows.
    Compare(NodeId, Snapshot),
    /// Lease batches. [`State::leased`] or [`State::lost_a_lease`] follows.
    Lease(Attempt),
    /// Give up this node's id and register under a new one. [`State::changed_identity`] follows.
    ChangeIdentity,
}

/// How batches are to be leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The node that leases.
    pub node: NodeId,
    /// The shares that lease, each with how many batches at most.
    pub rooms: Vec<Room>,
    /// How many batches these are, as far as the shares seem to be admitted; never 0.
    pub want: usize,
    /// Whether nothing is in hand.
    pub is_idle: bool,
    /// Whether the last attempt leased fewer batches than Emit had promised.
    pub is_short: bool,
}

impl State {
    pub fn new(rooms: Rooms) -> Self {
        Self {
            holdings: Holdings::default(),
            rooms,
            taking: Taking::Woken,
            gathering: Gathering::Not,
            compared_after: Some(0),
        }
    }

    /// The next step, if there is one. Callers must carry it out and call this again, until it returns `None`.
    pub fn next(&mut self, now: Situation<'_>) -> Option<Step> {
        if self.taking == Taking::Disowned {
            self.taking = Taking::ChangingIdentity;
            return Some(Step::ChangeIdentity);
        }
        self.next_to_settle(now).or_else(|| match self.taking {
            Taking::Uncertain if self.holdings.only_waits() => {
                self.taking = Taking::ChangingIdentity;
                Some(Step::ChangeIdentity)
            }
            Taking::Woken => self.next_to_take(now),
            _ => None,
        })
    }

    /// A transaction costs about as much as two RSA operations. While the signers have enough to do, a few batches
    /// are gathered into one transaction, for a moment that is too short to be noticed.
    fn next_to_settle(&mut self, now: Situation<'_>) -> Option<Step> {
        if self.holdings.is_settling() || self.holdings.done() == 0 {
            return None;
        }
        match self.gathering {
            Gathering::Over => self.gathering = Gathering::Not,
            _ if self.holdings.is_mostly_done() || !now.is_running => {}
            Gathering::Waiting => return None,
            Gathering::Not => {
                self.gathering = Gathering::Waiting;
                return Some(Step::Gather);
            }
        }
        Some(Step::Settle(self.holdings.settle()))
    }

    /// A node whose lease cannot be trusted waits until Heartbeat wakes it.
    fn next_to_take(&mut self, now: Situation<'_>) -> Option<Step> {
        self.taking = Taking::Resting;
        let node = now.node.filter(|_| now.is_running && self.rooms.may_lease())?;
        // The holdings are compared now and then, and after each outage, because a failover may have replaced
        // the database.
        if self.compared_after.replace(now.outages) != Some(now.outages) {
            self.taking = Taking::Comparing;
            return Some(Step::Compare(node, self.holdings.snapshot(node)));
        }
        let rooms = self.rooms.take(&self.holdings, now.speeds);
        let admitted = || rooms.iter().filter(|room| self.rooms.seems_admitted(room));
        // Where another share than the first runs short, it may lack keys, and Emit is not to blame.
        let is_short = self.rooms.luck_of(admitted().next()?.share).was_short();
        let want = admitted().map(|room| room.batches).sum();
        let is_idle = self.holdings.in_hand() == 0;
        self.taking = Taking::Leasing { again: false };
        Some(Step::Lease(Attempt { node, rooms, want, is_idle, is_short }))
    }

    /// Whether nothing is in hand, and nothing is being taken.
    pub fn is_at_rest(&self) -> bool {
        let is_taking =
            matches!(self.taking, Taking::Leasing { .. } | Taking::Comparing | Taking::ChangingIdentity);
        self.holdings.in_hand() == 0 && !is_taking
    }

    /// Notes that there may be something to lease. A comparison or a change of identity is followed by an attempt in
    /// any case.
    pub fn wake(&mut self) {
        self.rooms.wake_all();
        self.wake_up();
    }

    /// Notes that there may be something to lease for one share.
    pub fn wake_share(&mut self, share: ShareId) {
        self.rooms.wake(share);
        self.wake_up();
    }

    /// Notes that shares whose threads wait may be admitted now.
    pub fn wake_waiting(&mut self) {
        self.rooms.wake_waiting();
        self.wake_up();
    }

    fn wake_up(&mut self) {
        self.taking = match self.taking {
            Taking::Resting => Taking::Woken,
            Taking::Leasing { .. } => Taking::Leasing { again: true },
            other => other,
        };
    }

    /// Demands that the holdings are compared with the database before anything more is leased.
    pub fn compare_soon(&mut self) {
        self.compared_after = None;
    }

    /// Notes that the moment is over for which finished batches have waited.
    pub fn gathered(&mut self) {
        self.gathering = Gathering::Over;
    }

    /// Notes that the transaction is over, so the shares of its batches may have room now, and a key.
    pub fn settled(&mut self) {
        for share in self.holdings.settled() {
            self.wake_share(share);
        }
    }

    /// Notes that the attempt to lease is over.
    pub fn leased(&mut self) {
        self.taking = match self.taking {
            Taking::Leasing { again: true } => Taking::Woken,
            _ => Taking::Resting,
        };
    }

    /// Notes that the attempt to lease is over, and that its outcome is unknown.
    pub fn lost_a_lease(&mut self) {
        self.taking = Taking::Uncertain;
    }

    /// Notes the result of a comparison of the holdings with the database.
    pub fn compared(&mut self, findings: Findings) {
        self.rooms.wake_all();
        self.taking = match findings {
            Findings::AsKnown => Taking::Woken,
            Findings::Unknown(_) => Taking::Uncertain,
            Findings::InVain(_) => Taking::Disowned,
        };
    }

    /// Notes that the comparison failed, because the database did not answer.
    pub fn not_compared(&mut self) {
        self.taking = Taking::Resting;
        self.compare_soon();
    }

    /// Notes that this node has a new id, or will soon have one.
    pub fn changed_identity(&mut self) {
        self.rooms.wake_all();
        self.taking = Taking::Woken;
    }
}

#[cfg(test)]
mod tests;
