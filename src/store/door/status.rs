//! How far the work is.

use crate::domain::{BatchState, KeyState, NodeId};

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
    /// Batches in each state.
    pub batches: BatchesByState,
    /// Keys in each state.
    pub keys: KeysByState,
    /// Nodes at work.
    pub nodes: Vec<NodeRow>,
}

impl Status {
    /// All records.
    pub fn records(&self) -> u64 {
        self.signed + self.waiting()
    }

    /// Records without a signature.
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

impl BatchesByState {
    /// The number of batches in `state`.
    pub fn counter(&mut self, state: BatchState) -> &mut u64 {
        match state {
            BatchState::Open => &mut self.open,
            BatchState::Leased => &mut self.leased,
            BatchState::Signed => &mut self.signed,
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
}
