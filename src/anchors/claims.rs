//! What an anchor says of the ledger, claim by claim.

use super::read::{Attempt, Outcome, Passage};
use crate::domain::ledger::{Hash, Head};

/// Something that must be so in the ledger of the database, as recomputed from its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The entry with this sequence number has this leaf.
    Leaf {
        /// The sequence number.
        seq: u64,
        /// The leaf.
        leaf: Hash,
    },
    /// The ledger at this size has this root.
    Head(Head),
}

impl Passage {
    /// What must be so because of it. An attempt says what was before it, and what it made if it was committed. Of one that
    /// is undecided, callers must look up whether the ledger has its next head.
    pub fn claims(&self) -> Vec<Claim> {
        match self {
            Self::Seen(head) => vec![Claim::Head(*head)],
            // It is part of the next head.
            Self::Noted(_) => Vec::new(),
            Self::Attempt(attempt) => attempt.claims(),
        }
    }
}

impl Attempt {
    fn claims(&self) -> Vec<Claim> {
        let mut claims = vec![Claim::Head(self.previous)];
        if self.outcome == Outcome::Committed {
            claims.extend(self.entries.iter().map(|entry| Claim::Leaf { seq: entry.seq, leaf: entry.leaf }));
            claims.push(Claim::Head(self.next));
        }
        claims
    }
}
