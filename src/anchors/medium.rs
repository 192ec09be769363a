//! What an anchor is written to and read from: a file or a database.

use super::{
    AnchorAddress, AnchorError,
    anchor_file::AnchorFile,
    database::{self, AnchorDatabase, RowLines},
    error::LinePlace,
    file_lines::FileLines,
    tail::Remembered,
};
use crate::domain::ledger::Origin;

/// An anchor that this process may write. Others cannot open it to write as long as this lives.
pub(super) enum Medium {
    File(AnchorFile),
    Database(Box<AnchorDatabase>),
}

impl Medium {
    /// Opens the anchor of a ledger, and says what it remembers, unless another incarnation came after this. With `create` one
    /// that is not there is made, and one whose first line was never completed is begun again.
    pub(super) fn open(
        address: &AnchorAddress,
        origin: Origin,
        create: bool,
    ) -> Result<(Self, Remembered), AnchorError> {
        Ok(match address {
            AnchorAddress::File(path) => {
                let (file, remembered) = AnchorFile::open(path, origin, create)?;
                (Self::File(file), remembered)
            }
            AnchorAddress::Postgres(rows) => {
                let (database, remembered) = AnchorDatabase::open(rows, origin, create)?;
                (Self::Database(Box::new(database)), remembered)
            }
        })
    }

    /// Appends lines. If that fails, they are written with what comes next.
    pub(super) fn append(&mut self, lines: &str) {
        match self {
            Self::File(file) => file.append(lines),
            Self::Database(database) => database.append(lines),
        }
    }

    /// Appends lines, and makes them durable together with all that was appended before.
    ///
    /// # Errors
    /// Then the lines will not be in the anchor, or the line `revoked` will be behind them.
    pub(super) fn append_synced(&mut self, lines: &str, revoked: &str) -> Result<(), AnchorError> {
        match self {
            Self::File(file) => file.append_synced(lines),
            Self::Database(database) => database.append_synced(lines, revoked),
        }
    }

    /// Makes durable what was appended.
    pub(super) fn sync(&mut self) -> Result<(), AnchorError> {
        match self {
            Self::File(file) => file.sync(),
            Self::Database(database) => database.sync(),
        }
    }
}

/// The lines of an anchor behind the first one, without what its writer had not completed when it was opened.
pub(super) enum Lines {
    File(FileLines),
    Database(Box<RowLines>),
}

impl Lines {
    /// Opens an anchor to read it. Says whose it is, and which incarnation came after that.
    pub(super) fn open(address: &AnchorAddress) -> Result<(Origin, Option<Origin>, Self), AnchorError> {
        Ok(match address {
            AnchorAddress::File(path) => {
                let (origin, succeeded, lines) = FileLines::open(path)?;
                (origin, succeeded, Self::File(lines))
            }
            AnchorAddress::Postgres(rows) => {
                let (origin, succeeded, lines) = RowLines::open(rows)?;
                (origin, succeeded, Self::Database(Box::new(lines)))
            }
        })
    }

    /// The next line with its place; `None` at the end.
    pub(super) fn next_line(&mut self) -> Result<Option<(LinePlace, Vec<u8>)>, AnchorError> {
        match self {
            Self::File(lines) => lines.next_line(),
            Self::Database(lines) => lines.next_line(),
        }
    }
}

/// Whether there is an anchor.
///
/// # Errors
/// When a server cannot be asked.
pub fn is_there(address: &AnchorAddress) -> Result<bool, AnchorError> {
    match address {
        AnchorAddress::File(path) => Ok(path.exists()),
        AnchorAddress::Postgres(rows) => database::is_there(rows),
    }
}
