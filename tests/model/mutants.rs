//! Seeded mistakes: each turns the protocol into one that breaks a promise, which the model must show.

/// One way to get the protocol wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    NoFence,
    FenceByStateOnly,
    FenceOutsideTheTransaction,
    EpochNotRaisedAtLease,
    EpochNotRaisedAtReclaim,
    EpochNeverRaised,
    RevealBeforeCommit,
    ReclaimWithoutCondition,
    ReclaimForgetsTheBatches,
    RowsAffectedIgnored,
    SignedAgainAndBothStored,
    KeysChosenApart,
    CommitInTwoTransactions,
    ReleaseAfterCommitWasSent,
    RestartKeepsItsId,
    LostLeaseReplyIgnored,
    FencedIsTakenForStored,
    LateRecordsIgnored,
    GapClosedTooEarly,
    KeyUsedTwiceInAProcess,
    LimitOfOneBatch,
}

impl Mutant {
    /// Whether it is not enough that its epochs are wrong.
    pub fn must_show_its_harm(self) -> bool {
        matches!(self, Self::EpochNeverRaised | Self::ReclaimWithoutCondition)
    }

    /// Every mistake, with what is wrong.
    pub const ALL: [(Self, &'static str); 21] = [
        (Self::NoFence, "a commit does not look at the lease"),
        (Self::FenceByStateOnly, "a commit looks at the state only"),
        (Self::FenceOutsideTheTransaction, "a commit looks at the lease in a transaction before"),
        (Self::EpochNotRaisedAtLease, "a lease does not raise the epoch"),
        (Self::EpochNotRaisedAtReclaim, "a reclaim does not raise the epoch"),
        (Self::EpochNeverRaised, "nothing raises the epoch, and nobody counts"),
        (Self::RevealBeforeCommit, "a signature is shown from memory"),
        (Self::ReclaimWithoutCondition, "a reclaim does not look at the batch again"),
        (Self::ReclaimForgetsTheBatches, "a reclaim removes the node only"),
        (Self::RowsAffectedIgnored, "signatures are stored though no batch was marked"),
        (Self::SignedAgainAndBothStored, "a lost reply is signed again, and nothing is unique"),
        (Self::KeysChosenApart, "keys are chosen in a transaction before, without an index"),
        (Self::CommitInTwoTransactions, "signatures are stored in a transaction before the batch"),
        (Self::ReleaseAfterCommitWasSent, "a release after the commit, whatever the state"),
        (Self::RestartKeepsItsId, "a restarted process keeps its id"),
        (Self::LostLeaseReplyIgnored, "a lost reply to a lease is ignored"),
        (Self::FencedIsTakenForStored, "a batch that is signed is taken for one's own"),
        (Self::LateRecordsIgnored, "missing ids are not noted as gaps"),
        (Self::GapClosedTooEarly, "a gap is closed while its writer still runs"),
        (Self::KeyUsedTwiceInAProcess, "a key does not wait for its operation to end"),
        (Self::LimitOfOneBatch, "a limit is compared with a batch, and not with what is signed"),
    ];
}
