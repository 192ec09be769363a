//! Seeded mistakes with the ledger, its anchors and restores, each of which must break a promise.

/// One way to get it wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    NoIntent,
    ConfirmedBeforeCommit,
    ComparedAtStartOnly,
    ComparedBySizeOnly,
    IdsNotJumped,
    LostRecordsSignedAgain,
    ReceiptOutsideTheTransaction,
    ShownBeforeItIsDurable,
    NotHalted,
    UnknownIsRolledBack,
    OnlyConfirmedIsLost,
    OneAnchorIsAsked,
    BatchIdsNotTaken,
    BatchTakenForItsId,
    IncarnationKept,
}

impl Mutant {
    /// Every mistake, with what is wrong.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::NoIntent, "no intent is written before a commit"),
        (Self::ConfirmedBeforeCommit, "a commit is confirmed before it is made"),
        (Self::ComparedAtStartOnly, "a database is compared when a process starts, and not later"),
        (Self::ComparedBySizeOnly, "a database is compared by its size only"),
        (Self::IdsNotJumped, "record ids go on where the backup ends"),
        (Self::LostRecordsSignedAgain, "records that were signed and lost are signed again"),
        (Self::ReceiptOutsideTheTransaction, "a receipt is added in a transaction after the commit"),
        (Self::ShownBeforeItIsDurable, "a commit is shown before it is on the disk"),
        (Self::NotHalted, "a process that finds an older database tells no other"),
        (Self::UnknownIsRolledBack, "a commit of unknown outcome is taken for rolled back"),
        (Self::OnlyConfirmedIsLost, "a commit without its confirmation is not counted as lost"),
        (Self::OneAnchorIsAsked, "a loss is accepted by what one of the anchors knows"),
        (Self::BatchIdsNotTaken, "lost batches without records leave their ids to others"),
        (
            Self::BatchTakenForItsId,
            "a row with the id of a lost batch is taken for it, whatever its records are",
        ),
        (Self::IncarnationKept, "the ledger goes on under its old name after a loss"),
    ];
}
