//! What can go wrong with an anchor.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::domain::ledger::Origin;

/// An error of an anchor. Unless the variant says otherwise nothing may be committed because of it, and nothing was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// There is no file, or one that was never completed, and none may be made.
    #[error("there is no anchor at '{0}': put it back, or leave it out of the settings")]
    Missing(PathBuf),
    /// The file belongs to another ledger, or to another incarnation of this one.
    #[error(
        "the anchor '{path}' belongs to the ledger {found}, not to {expected}: use the anchor of this database"
    )]
    OtherOrigin {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: Origin,
        /// Whose it should be.
        expected: Origin,
    },
    /// It was set aside, because a restore was accepted.
    #[error(
        "the anchor '{path}' was set aside when a restore was accepted, which began {by}: if the database is older than that \
         restore, put back a newer one"
    )]
    Succeeded {
        /// The file.
        path: PathBuf,
        /// The incarnation that came after it.
        by: Origin,
    },
    /// Another process has it open, or it was named twice.
    #[error("the anchor '{0}' is in use: each process needs a file that no other process writes")]
    InUse(PathBuf),
    /// It was moved, deleted or replaced while it was in use.
    #[error("the anchor '{0}' was moved, deleted or replaced while it was in use: put it back")]
    Replaced(PathBuf),
    /// It is a folder, a device, or anything else but a file.
    #[error("the anchor '{0}' is not a regular file")]
    NotAFile(PathBuf),
    /// It does not begin as an anchor does.
    #[error("'{0}' is not an anchor of Sign Wave")]
    NotAnAnchor(PathBuf),
    /// A line cannot be understood, or says what cannot be.
    #[error("the anchor '{path}' is damaged at byte {at}: keep the file, and see what has changed it")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the line begins, counted from 0.
        at: u64,
    },
    /// No room on its device.
    #[error("the disk of the anchor '{0}' is full: make room, nothing is lost")]
    Full(PathBuf),
    /// An error of the operating system.
    #[error("the anchor '{path}': {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The error, in the system's words.
        reason: String,
    },
}

impl AnchorError {
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(path.to_owned()),
            _ => Self::Io { path: path.to_owned(), reason: error.to_string() },
        }
    }

    /// Why a file that should be there could not be opened.
    pub(super) fn opening(path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing(path.to_owned()),
            _ => Self::io(path, error),
        }
    }

    /// Whether the same call, repeated after a pause, may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Replaced(_) | Self::Io { .. })
    }
}
