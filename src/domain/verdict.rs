//! The outcomes of requests: verdicts with their evidence, success included.

use super::{BatchState, Epoch, NodeId, RecordId};

/// What a commit did to one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitVerdict {
    /// This transaction stored its signatures.
    Committed,
    /// The lease had ended, and nothing was stored. The fields describe the batch as it was found.
    Fenced {
        /// The state it was in.
        state: BatchState,
        /// The epoch it had.
        epoch: Epoch,
        /// The node that held it, if any.
        node: Option<NodeId>,
    },
}

/// What became of a batch when the reply to its commit was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The batch is signed at the epoch in question: the commit happened.
    Stored,
    /// The batch is still leased at the epoch in question: the commit did not happen and must be sent again.
    NotStored,
    /// The batch has another epoch: the lease is over, and this commit can never happen.
    Fenced,
}

impl Outcome {
    /// Judges a batch that was read back, by the epoch at which it was sent.
    pub fn of(sent: Epoch, state: BatchState, epoch: Epoch) -> Self {
        match state {
            _ if epoch != sent => Self::Fenced,
            BatchState::Signed => Self::Stored,
            BatchState::Leased => Self::NotStored,
            BatchState::Open => Self::Fenced,
        }
    }
}

/// The result of adding a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertVerdict {
    /// The record is new, and was given this id.
    Inserted(RecordId),
    /// This record has the same `external_id` and the same payload. Nothing was changed.
    AlreadyThere(RecordId),
    /// A record with this `external_id` but another payload exists. Nothing was changed.
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
