//! The outcomes of requests: verdicts with their evidence, success included.

use super::{BatchState, Epoch, NodeId, RecordId, Refusal};

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
            BatchState::Open | BatchState::Lost => Self::Fenced,
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

/// What became of something that arrived from a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrivalVerdict {
    /// It is a record.
    Record(RecordId),
    /// It was a record already.
    AlreadyThere(RecordId),
    /// It is in the table of refused messages, for this reason.
    Refused(Refusal),
}

/// The result of trying again to make a record of a refused message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryVerdict {
    /// It is a record now, or was one already, and is refused no more.
    Stored(RecordId),
    /// A record with this name and another payload exists: another name is needed.
    Conflict,
    /// It has no name that a record may have: one is needed.
    NoName,
    /// Its bytes are not those of a record.
    Malformed,
    /// It was too large, and not all of its bytes were kept.
    NotWhole,
    /// No message of this id is refused.
    NotThere,
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
