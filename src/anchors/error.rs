//! What can go wrong with an anchor.

use std::{
    fmt,
    io::{self, ErrorKind},
    path::Path,
};

use super::AnchorAddress;
use crate::domain::ledger::Origin;

/// An error of an anchor. Unless the variant says otherwise nothing may be committed because of it, and nothing was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// There is none, or a file that was never completed, and none may be made.
    #[error("there is no anchor at '{0}': put it back, or leave it out of the settings")]
    Missing(AnchorAddress),
    /// It belongs to another ledger, or to another incarnation of this one.
    #[error("the anchor '{anchor}' belongs to the ledger {found}, not to {expected}: {}", remedy(.found, .expected))]
    OtherOrigin {
        /// The anchor.
        anchor: AnchorAddress,
        /// Whose it is.
        found: Origin,
        /// Whose it should be.
        expected: Origin,
    },
    /// It was set aside, because a restore was accepted.
    #[error(
        "the anchor '{anchor}' was set aside when a restore was accepted, which began {by}: if the database is older than that \
         restore, put back a newer one"
    )]
    Succeeded {
        /// The anchor.
        anchor: AnchorAddress,
        /// The incarnation that came after it.
        by: Origin,
    },
    /// Two names lead to the same one.
    #[error("the anchors '{other}' and '{anchor}' are the same: name each anchor once")]
    Twice {
        /// One name.
        anchor: AnchorAddress,
        /// The other, as it is shown.
        other: String,
    },
    /// Something else has the name under which it is to be set aside.
    #[error(
        "there is a file at '{aside}' already, where the anchor '{anchor}' is to be set aside: move that file away"
    )]
    AsideTaken {
        /// The anchor.
        anchor: AnchorAddress,
        /// The name.
        aside: String,
    },
    /// Another process has it open, or it was named twice.
    #[error("the anchor '{0}' is in use: each process needs one that no other process writes")]
    InUse(AnchorAddress),
    /// It was moved, deleted or replaced while it was in use.
    #[error("the anchor '{0}' was moved, deleted or replaced while it was in use: put it back")]
    Replaced(AnchorAddress),
    /// It is a folder, a device, or anything else but a file.
    #[error("the anchor '{0}' is not a regular file")]
    NotAFile(AnchorAddress),
    /// Its server refuses what is asked of it, or is not one that can be used: a person has to change something.
    #[error("the anchor '{anchor}' cannot be used: {reason}")]
    Unusable {
        /// The anchor.
        anchor: AnchorAddress,
        /// Why, in the words of the server.
        reason: String,
    },
    /// It does not begin as an anchor does.
    #[error("'{0}' is not an anchor of Sign Wave")]
    NotAnAnchor(AnchorAddress),
    /// A line cannot be understood, or says what cannot be.
    #[error("the anchor '{anchor}' is damaged at {at}: keep it as it is, and see what has changed it")]
    Damaged {
        /// The anchor.
        anchor: AnchorAddress,
        /// Where the line begins.
        at: LinePlace,
    },
    /// It is older than what this process has written: its database was put back in time.
    #[error(
        "the anchor '{anchor}' is older than what this process has written: it has {found} lines and had {written}: put the \
         newer one back"
    )]
    WentBack {
        /// The anchor.
        anchor: AnchorAddress,
        /// How many lines it has.
        found: i64,
        /// How many lines were written for certain.
        written: i64,
    },
    /// There is no table for anchors in its database, and none could be made.
    #[error(
        "the anchor '{anchor}' needs a table, and this role cannot make it ({reason}): let the owner of the database run: \
         {statements}; GRANT SELECT, INSERT ON signwave_anchor TO this role"
    )]
    NoTable {
        /// The anchor.
        anchor: AnchorAddress,
        /// Why it could not be made, in the words of the server.
        reason: String,
        /// What makes it.
        statements: &'static str,
    },
    /// It is in the database that it is about.
    #[error(
        "the anchor '{0}' is in the database that holds the records: a backup would bring both back, so use another server"
    )]
    Within(AnchorAddress),
    /// Its address names an anchor that was set aside.
    #[error(
        "the anchor '{0}' was set aside when a restore was accepted, and is only read: leave out the number"
    )]
    Aside(AnchorAddress),
    /// No room on its device.
    #[error("the disk of the anchor '{0}' is full: make room, nothing is lost")]
    Full(AnchorAddress),
    /// An error of the operating system, or of the server.
    #[error("the anchor '{anchor}': {reason}")]
    Io {
        /// The anchor.
        anchor: AnchorAddress,
        /// The error, in the words of the system or server.
        reason: String,
    },
}

/// Where a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinePlace {
    /// In a file: the byte where it begins, counted from 0.
    Byte(u64),
    /// In a database: the number of the line, counted from 1.
    Line(i64),
}

impl fmt::Display for LinePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(at) => write!(f, "byte {at}"),
            Self::Line(number) => write!(f, "line {number}"),
        }
    }
}

impl AnchorError {
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        let anchor = path.into();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(anchor),
            _ => Self::Io { anchor, reason: error.to_string() },
        }
    }

    /// Why a file that should be there could not be opened.
    pub(super) fn opening(path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing(path.into()),
            _ => Self::io(path, error),
        }
    }

    /// Whether it belongs to a later incarnation of the ledger than the database has.
    pub fn is_later(&self) -> bool {
        matches!(self, Self::OtherOrigin { found, expected, .. } if is_later(found, expected))
    }

    /// Whether the same call, repeated after a pause, may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Replaced(_) | Self::WentBack { .. } | Self::Io { .. })
    }
}

fn is_later(found: &Origin, expected: &Origin) -> bool {
    found.id == expected.id && found.incarnation > expected.incarnation
}

fn remedy(found: &Origin, expected: &Origin) -> &'static str {
    if is_later(found, expected) {
        "this database is from before a restore that was accepted, and can be neither healed nor accepted, because its anchors \
         do not say all that was signed since: put back a newer one"
    } else {
        "use the anchor of this database"
    }
}
