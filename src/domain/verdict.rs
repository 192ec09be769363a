//! What became of a request: verdicts with their evidence, success included.

use super::{BatchState, Epoch, NodeId, RecordId};

/// What a commit did with one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitVerdict {
    /// Its signatures are stored, in this transaction.
    Committed,
    /// The lease had ended: nothing was stored. The batch as it was found.
    Fenced {
        /// The state it was in.
        state: BatchState,
        /// The epoch it had.
        epoch: Epoch,
        /// The node that held it, if any.
        node: Option<NodeId>,
    },
}

/// What a batch turned out to be after the reply to a commit was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is signed, at the epoch in question: the commit had happened.
    Stored,
    /// It is still leased at the epoch in question: the commit had not happened, send it again.
    NotStored,
    /// It has another epoch: the lease is over, and this commit can never happen.
    Fenced,
}

impl Outcome {
    /// Judges a batch that was read back, against the epoch at which it was sent.
    pub fn of(sent: Epoch, state: BatchState, epoch: Epoch) -> Self {
        match state {
            _ if epoch != sent => Self::Fenced,
            BatchState::Signed => Self::Stored,
            BatchState::Leased => Self::NotStored,
            BatchState::Open => Self::Fenced,
        }
    }
}

/// What became of a record that somebody wanted to add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertVerdict {
    /// It is new, and has this id now.
    Inserted(RecordId),
    /// A record with this `external_id` and this very payload was there already.
    AlreadyThere,
    /// A record with this `external_id` but another payload is there: nothing was changed.
    Conflict,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_epoch_can_have_been_stored() {
        let sent = Epoch(3);
        assert_eq!(Outcome::of(sent, BatchState::Signed, sent), Outcome::Stored);
        assert_eq!(Outcome::of(sent, BatchState::Leased, sent), Outcome::NotStored);
        for state in BatchState::ALL {
            assert_eq!(Outcome::of(sent, state, sent.next()), Outcome::Fenced);
        }
    }
}
