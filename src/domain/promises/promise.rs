//! Which promise each breach breaks.

use super::Breach;

impl Breach {
    /// The number of the promise that is broken, as in GUARANTEES.md.
    pub const fn promise(&self) -> &'static str {
        match self {
            Self::InTwoBatches { .. }
            | Self::WaitsInBatch { .. }
            | Self::TwoSignatures { .. }
            | Self::LostRecordSigned { .. } => "P1",
            Self::KeyLeasedTwice { .. } => "P2",
            Self::WrongState { .. }
            | Self::NoKey { .. }
            | Self::SignatureMissing { .. }
            | Self::SignatureTooEarly { .. }
            | Self::SignatureWithoutBatch { .. }
            | Self::WrongBatch { .. }
            | Self::WrongLength { .. }
            | Self::DoesNotVerify { .. }
            | Self::WrongSignatureCount { .. } => "P3",
            Self::WrongEpoch { .. }
            | Self::EpochFell { .. }
            | Self::EpochNotRaised { .. }
            | Self::SignedBatchChanged { .. } => "P4",
            Self::WrongSpan { .. }
            | Self::TooManyRecords { .. }
            | Self::RecordsChanged { .. }
            | Self::BatchGone { .. }
            | Self::Lost { .. }
            | Self::RecordMissing { .. }
            | Self::WrongTotal { .. } => "P5",
            Self::ShownOtherwise { .. } => "P6",
            Self::TooManySignatures { .. } => "P7",
            Self::FeedHasGap { .. }
            | Self::TwoPositions { .. }
            | Self::PositionTooEarly { .. }
            | Self::NoPosition { .. }
            | Self::PositionChanged { .. } => "P8",
            Self::NoReceipt { .. }
            | Self::TwoReceipts { .. }
            | Self::NotAsInReceipt { .. }
            | Self::NotAsAnchored { .. }
            | Self::BehindAnchor { .. }
            | Self::KeyNotInLedger { .. }
            | Self::LedgerHasGap { .. }
            | Self::NoEntry { .. }
            | Self::WrongRoot { .. }
            | Self::LedgerEndsOtherwise { .. }
            | Self::WrongEdge
            | Self::WrongRestore { .. }
            | Self::WrongIncarnation { .. }
            | Self::LostWithoutRestore { .. }
            | Self::LostOtherwise { .. }
            | Self::KeyIsBack { .. }
            | Self::WrongSubject { .. }
            | Self::ReceiptChanged { .. } => "P9",
        }
    }
}
