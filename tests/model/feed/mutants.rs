//! Seeded mistakes with the feed, each of which must break its promise.

/// One way to get the feed wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    PositionInsideTheCommit,
    NumberedBeforeTheCommit,
    ReaderWithoutSequencer,
    ShownBeforeItIsDurable,
    CursorOverTimes,
    RestoreKeepsTheId,
}

impl Mutant {
    /// Every mistake, with what is wrong.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::PositionInsideTheCommit, "a batch draws its position before its commit, without a lock"),
        (Self::NumberedBeforeTheCommit, "a batch is numbered while its commit is under way"),
        (Self::ReaderWithoutSequencer, "a reader does not number what is signed"),
        (Self::ShownBeforeItIsDurable, "a sequencer does not wait for the disk"),
        (Self::CursorOverTimes, "a reader goes on behind the highest time that it saw"),
        (Self::RestoreKeepsTheId, "a restored backup keeps the id of its feed"),
    ];
}
