//! Why a restore does not go on.

use crate::{
    anchors::{AnchorAddress, AnchorError, LossError},
    store::StoreError,
};

/// Nothing was changed, except where the variant says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The database cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be said what is lost.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// An anchor cannot be read, or cannot be set aside. Running the command again does what is left.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// The loss was accepted before, without all that this anchor knows.
    #[error(
        "the anchor '{anchor}' knows of {known} entries of the ledger, but the loss was accepted with {accepted}, because this \
         anchor was not named. If nothing was started since: put the same backup back, move each anchor that was set aside \
         back (PATH.1 to PATH) and remove its last line, and accept with the anchors of all nodes. If something was \
         started, move this anchor away: what it alone knows may be signed a second time"
    )]
    Unknown {
        /// The anchor.
        anchor: AnchorAddress,
        /// How many entries it knows of.
        known: u64,
        /// How many were known when the loss was accepted.
        accepted: u64,
    },
    /// An anchor that is not named has halted the database.
    #[error(
        "an anchor that is not named knows that {known} entries of the ledger were committed, and those that are named know of \
         {named}: name it, too (if it is lost, put the same backup back again, which no anchor has halted yet)"
    )]
    NotNamed {
        /// How many entries were committed, as the anchor knows that halted the database.
        known: u64,
        /// How many the anchors know of that are named.
        named: u64,
    },
    /// Somebody has changed the database since the loss was read.
    #[error("the database has changed since it was looked at: stop all processes, and run this again")]
    Changed,
}
