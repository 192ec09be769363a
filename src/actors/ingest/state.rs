//! What Ingest is at, and what it does next. No actor, no clock, no database: see ARCHITECTURE.md for the
//! picture of these states.

use super::{
    holdings::{Done, Findings, Holdings, Snapshot},
    luck::Luck,
};
use crate::domain::NodeId;

/// Everything that decides what Ingest does next.
#[derive(Debug)]
pub(super) struct State {
    /// What this node holds.
    pub holdings: Holdings,
    /// What the last attempts to lease came to.
    pub luck: Luck,
    taking: Taking,
    gathering: Gathering,
    /// How many outages there had been when the holdings were last compared with the database; `None` when
    /// they are to be compared before anything more is leased.
    compared_after: Option<u64>,
}

/// How leases are taken. One attempt is under way at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taking {
    /// The last attempt left nothing to try.
    Resting,
    /// There may be something to lease.
    Woken,
    /// Batches are being leased. `again`: something has changed since, and there may be more.
    Leasing { again: bool },
    /// The database is asked what this node holds.
    Comparing,
    /// This node may hold leases that it does not know. It takes nothing more, and changes its identity as
    /// soon as it has nothing in hand.
    Uncertain,
    /// What this node is signing is not its own any more: it changes its identity at once.
    Disowned,
    /// The node gives up its id with all that it holds, and takes a new one.
    ChangingIdentity,
}

/// Whether what is done waits for more to be stored with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gathering {
    /// It does not.
    Not,
    /// It does, for a moment.
    Waiting,
    /// The moment is over.
    Over,
}

/// What Ingest does not decide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    /// Whether the service has not been told to stop.
    pub is_running: bool,
    /// This node, while its lease can be trusted.
    pub node: Option<NodeId>,
    /// How often the database has been away.
    pub outages: u64,
}

/// What to do now.
#[derive(Debug)]
pub(super) enum Step {
    /// Store and give back what is done. [`State::settled`] follows.
    Settle(Done),
    /// Wait a moment for more to be done. [`State::gathered`] follows.
    Gather,
    /// Ask the database what this node holds. [`State::compared`] or [`State::not_compared`] follows.
    Compare(NodeId, Snapshot),
    /// Lease batches. [`State::leased`] or [`State::lost_a_lease`] follows.
    Lease(Attempt),
    /// Give up this node's id and take a new one. [`State::changed_identity`] follows.
    ChangeIdentity,
}

/// How batches are to be leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// For whom.
    pub node: NodeId,
    /// How many at most; never 0.
    pub room: usize,
    /// Whether nothing is in hand.
    pub is_idle: bool,
    /// Whether the last attempt found fewer batches than it had been promised.
    pub is_short: bool,
}

impl State {
    pub fn new(limit: usize) -> Self {
        Self {
            holdings: Holdings::new(limit),
            luck: Luck::Fair,
            taking: Taking::Woken,
            gathering: Gathering::Not,
            compared_after: Some(0),
        }
    }

    /// What comes next, if anything does. To be carried out, and asked for again, until nothing does.
    pub fn next(&mut self, now: Situation) -> Option<Step> {
        if self.taking == Taking::Disowned {
            self.taking = Taking::ChangingIdentity;
            return Some(Step::ChangeIdentity);
        }
        self.next_to_settle(now).or_else(|| match self.taking {
            Taking::Uncertain if self.holdings.in_hand() == 0 => {
                self.taking = Taking::ChangingIdentity;
                Some(Step::ChangeIdentity)
            }
            Taking::Woken => self.next_to_take(now),
            _ => None,
        })
    }

    /// A transaction costs about as much as two RSA operations: while the signers have enough to do, a
    /// few batches are gathered for it, for a moment that nobody notices.
    fn next_to_settle(&mut self, now: Situation) -> Option<Step> {
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

    /// Without a trusted lease of its own the node waits for Heartbeat to wake it.
    fn next_to_take(&mut self, now: Situation) -> Option<Step> {
        self.taking = Taking::Resting;
        let node = now.node.filter(|_| now.is_running && self.holdings.may_lease())?;
        // Now and then, and whenever the database was away: it may be another one that is back.
        if self.compared_after.replace(now.outages) != Some(now.outages) {
            self.taking = Taking::Comparing;
            return Some(Step::Compare(node, self.holdings.snapshot(node)));
        }
        let (room, is_idle) = (self.holdings.room(), self.holdings.in_hand() == 0);
        if room == 0 {
            return None;
        }
        self.taking = Taking::Leasing { again: false };
        Some(Step::Lease(Attempt { node, room, is_idle, is_short: self.luck.was_short() }))
    }

    /// Whether nothing is in hand, and nothing is being taken.
    pub fn is_at_rest(&self) -> bool {
        let is_taking =
            matches!(self.taking, Taking::Leasing { .. } | Taking::Comparing | Taking::ChangingIdentity);
        self.holdings.in_hand() == 0 && !is_taking
    }

    /// There may be something to lease. What asks the database or changes the identity looks afterwards anyway.
    pub fn wake(&mut self) {
        self.taking = match self.taking {
            Taking::Resting => Taking::Woken,
            Taking::Leasing { .. } => Taking::Leasing { again: true },
            other => other,
        };
    }

    /// The holdings are to be compared with the database before anything more is leased.
    pub fn compare_soon(&mut self) {
        self.compared_after = None;
    }

    /// The moment for which what is done has waited is over.
    pub fn gathered(&mut self) {
        self.gathering = Gathering::Over;
    }

    /// What was done is settled, or will never be; there may be room now.
    pub fn settled(&mut self) {
        self.holdings.settled();
        self.wake();
    }

    /// The attempt to lease is over.
    pub fn leased(&mut self) {
        self.taking = match self.taking {
            Taking::Leasing { again: true } => Taking::Woken,
            _ => Taking::Resting,
        };
    }

    /// The attempt to lease is over, and nobody knows what it came to.
    pub fn lost_a_lease(&mut self) {
        self.taking = Taking::Uncertain;
    }

    /// The holdings were compared with the database.
    pub fn compared(&mut self, findings: Findings) {
        self.taking = match findings {
            Findings::AsKnown => Taking::Woken,
            Findings::Unknown(_) => Taking::Uncertain,
            Findings::InVain(_) => Taking::Disowned,
        };
    }

    /// The database did not say what this node holds.
    pub fn not_compared(&mut self) {
        self.taking = Taking::Resting;
        self.compare_soon();
    }

    /// This node has another id now, or will have one before long.
    pub fn changed_identity(&mut self) {
        self.taking = Taking::Woken;
    }
}

#[cfg(test)]
mod tests;
