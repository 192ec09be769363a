//! How far the work is.

use std::{collections::BTreeMap, fmt};

use super::{LedgerRow, WebhookRow};
use crate::domain::{Barred, BatchState, KeyState, NodeId, Position, Reach};

/// How far the work is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Records in batches that are signed.
    pub signed: u64,
    /// Records in batches that are leased.
    pub leased: u64,
    /// Records in batches that are open.
    pub open: u64,
    /// Records that are in no batch yet.
    pub unbatched: u64,
    /// Records that were signed, and whose signatures a restored database lacks. They are never signed again.
    pub lost: u64,
    /// Messages that were refused, counted up to 100,000.
    pub refused: u64,
    /// Batches in each state.
    pub batches: BatchesByState,
    /// Keys in each state.
    pub keys: KeysByState,
    /// Those of the active keys that may not sign now.
    pub barred: BarredKeys,
    /// Active keys that may sign now, as far as their limits go, of each custodian, `database` included.
    pub usable: BTreeMap<String, u64>,
    /// Nodes at work.
    pub nodes: Vec<NodeRow>,
    /// Every webhook.
    pub webhooks: Vec<WebhookRow>,
    /// The end of the feed: the position of its last batch.
    pub feed: Option<Position>,
    /// Where the ledger is; `None` if it cannot be read.
    pub ledger: Option<LedgerRow>,
    /// Up to which entry of the ledger the anchors of this process know it; `None` where it has none.
    pub anchored: Option<u64>,
}

impl Status {
    /// All records.
    pub fn records(&self) -> u64 {
        self.signed + self.lost + self.waiting()
    }

    /// Active keys that may sign now, as far as their limits go.
    pub fn usable_keys(&self) -> u64 {
        self.usable.values().sum()
    }

    /// Those of them that a node with this reach can use.
    pub fn usable_within(&self, reach: &Reach) -> u64 {
        self.usable.iter().filter(|(custodian, _)| reach.includes(custodian)).map(|(_, keys)| keys).sum()
    }

    /// Custodians with such keys that no node at work can use, each with the number of its keys. There are none
    /// while no node is at work, because it is not known then who will be.
    pub fn unreachable(&self) -> impl Iterator<Item = (&str, u64)> {
        let is_reached = |custodian: &str| self.nodes.iter().any(|node| node.reach.includes(custodian));
        let usable = self.usable.iter().map(|(custodian, keys)| (custodian.as_str(), *keys));
        usable.filter(move |(custodian, _)| !self.nodes.is_empty() && !is_reached(custodian))
    }

    /// Records that will be signed.
    pub fn waiting(&self) -> u64 {
        self.leased + self.open + self.unbatched
    }
}

/// How many batches are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named after its state")]
pub struct BatchesByState {
    pub open: u64,
    pub leased: u64,
    pub signed: u64,
    pub lost: u64,
}

/// How many keys are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named after its state")]
pub struct KeysByState {
    pub active: u64,
    pub disabled: u64,
    pub retired: u64,
    pub suspended: u64,
}

/// How many active keys may not sign now, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is named after its reason")]
pub struct BarredKeys {
    pub not_yet_valid: u64,
    pub expired: u64,
    pub exhausted: u64,
}

impl BatchesByState {
    /// The number of batches in `state`.
    pub fn counter(&mut self, state: BatchState) -> &mut u64 {
        match state {
            BatchState::Open => &mut self.open,
            BatchState::Leased => &mut self.leased,
            BatchState::Signed => &mut self.signed,
            BatchState::Lost => &mut self.lost,
        }
    }
}

impl KeysByState {
    /// The number of keys in `state`.
    pub fn counter(&mut self, state: KeyState) -> &mut u64 {
        match state {
            KeyState::Active => &mut self.active,
            KeyState::Disabled => &mut self.disabled,
            KeyState::Retired => &mut self.retired,
            KeyState::Suspended => &mut self.suspended,
        }
    }
}

impl BarredKeys {
    /// The number of keys that may not sign for `reason`.
    pub fn counter(&mut self, reason: Barred) -> &mut u64 {
        match reason {
            Barred::NotYetValid => &mut self.not_yet_valid,
            Barred::Expired => &mut self.expired,
            Barred::Exhausted => &mut self.exhausted,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.not_yet_valid + self.expired + self.exhausted
    }
}

impl fmt::Display for BarredKeys {
    /// For people to read, such as `2 expired, 1 exhausted`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = *self;
        let words = Barred::ALL.map(|reason| (*counts.counter(reason), reason));
        let words = words.into_iter().filter(|(keys, _)| *keys > 0);
        let words: Vec<_> = words.map(|(keys, reason)| format!("{keys} {reason}")).collect();
        f.write_str(&words.join(", "))
    }
}

/// A node at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// When it registered.
    pub started_at: String,
    /// Until when its lease runs.
    pub lease_until: String,
    /// How many batches it holds.
    pub batches: u64,
    /// Whose keys it can use.
    pub reach: Reach,
}
