//! A batch as stored in a database: its row and its states.

use std::{fmt, str::FromStr};

use super::{BatchId, Epoch, KeyId, NodeId, RecordId, Runs, Scheme};

/// The row of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRow {
    /// Its id.
    pub id: BatchId,
    /// Its records.
    pub records: Runs,
    /// `first_record`, `last_record` and `record_count` as stored, which must agree with `records`.
    pub stored_span: (RecordId, RecordId, u64),
    /// Its state.
    pub state: BatchState,
    /// Its lease number.
    pub epoch: Epoch,
    /// The key that signs or signed it.
    pub key: Option<KeyId>,
    /// The node that holds it.
    pub node: Option<NodeId>,
    /// How it is or was signed.
    pub scheme: Option<Scheme>,
    /// When its signatures were stored.
    pub signed_at: Option<String>,
}

impl BatchRow {
    /// Records of the largest batch. The number is limited because signatures are held in memory until they are stored.
    pub const MAX_RECORDS: usize = 100_000;
}

/// The state of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchState {
    /// Formed, waiting for a key.
    Open,
    /// Held by one node, which signs it with one key.
    Leased,
    /// All its signatures are stored. Final.
    Signed,
    /// A restored database lacks its signatures, which may have been shown, so it is never signed again; with epoch 0, one
    /// that was never signed and whose records are gone. Final.
    Lost,
}

/// A name that is none of the states.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown batch state '{0}'")]
pub struct UnknownBatchState(pub String);

impl BatchState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Leased, Self::Signed, Self::Lost];

    /// The name stored in `batch.state`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Leased => "leased",
            Self::Signed => "signed",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for BatchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BatchState {
    type Err = UnknownBatchState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| UnknownBatchState(text.to_owned()))
    }
}
