//! A ledger at one size.

use super::Hash;

/// A ledger at one size. The root at a size says everything that the ledger was up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many entries there are.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}
