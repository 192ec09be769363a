//! What can go wrong at the door of a database.

/// An error of a [`Store`](super::Store). Unless the variant says otherwise nothing was persisted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the database; the same call may succeed in a moment.
    #[error("the database is busy: another process is writing to it")]
    Busy,
    /// A lock was not granted in time, or other transactions kept conflicting. The text names them, as far as
    /// they are known.
    #[error("the database is busy: {0}")]
    HeldUp(String),
    /// The database cannot be reached right now; the same call may succeed in a moment.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The reply to COMMIT was lost or is an error: the transaction may or may not have happened.
    /// Read back before doing anything else, and never sign again because of it.
    #[error("the outcome of a commit is unknown: {0}")]
    UnknownOutcome(String),
    /// The server refuses us, or is not the one that we trust: a person has to change something.
    #[error("the database cannot be reached: {0}")]
    Denied(String),
    /// The database is not as a promise, or this command, needs it: a person has to change something.
    #[error("the database cannot be used as it is: {0}")]
    Unusable(String),
    /// No room on the device.
    #[error("the disk is full: make room and run the command again, nothing is lost")]
    Full,
    /// The file or its folder cannot be written.
    #[error("the database '{0}' is read-only: check the permissions of the file and of its folder")]
    ReadOnly(String),
    /// There is no database where one was expected. Opening never makes one.
    #[error("there is no database at '{0}': 'signwave migrate' makes one")]
    NotFound(String),
    /// An SQLite database has a second name, or it or its log was moved, deleted or replaced: what is stored
    /// under this name would be missing under the other. The database was in use when that was noticed, or was
    /// not opened.
    #[error("{0}")]
    Misplaced(String),
    /// This user may not read the files of a database, or could only read them by writing beside them.
    #[error("{0}")]
    Unreadable(String),
    /// The file is something else.
    #[error("'{0}' is not a Sign Wave database")]
    NotADatabase(String),
    /// It was made by a newer version of this program.
    #[error("the database has migration '{0}', which this version does not know: use a newer signwave")]
    NewerSchema(String),
    /// It lacks migrations that this version needs.
    #[error("the database is of an older version: run 'signwave migrate' first")]
    OlderSchema,
    /// The SQLite in use can corrupt a database with two writing connections.
    #[error("SQLite {0} can corrupt a database that several processes write: 3.51.3 or later is needed")]
    UnsafeSqlite(String),
    /// The address of a database cannot be understood, or names a kind that this build does not speak.
    #[error("{0}")]
    BadUrl(String),
    /// A constraint or trigger of the schema refused the operation, because it would break a promise.
    #[error("the database refused the operation: {0}")]
    Refused(String),
    /// The database is older than what was shown of it, or is another one, as its anchors say. Nothing is formed, leased or
    /// signed until the right one is back.
    #[error("{0}")]
    Behind(String),
    /// An anchor cannot be written right now, so nothing can be committed; the same call may succeed in a moment.
    #[error("{0}")]
    AnchorAway(String),
    /// An anchor cannot be used: a person has to change something.
    #[error("{0}")]
    BadAnchor(String),
    /// A statement touched another number of rows than it must.
    #[error("{what}: expected {expected} rows, found {found}")]
    RowCount {
        /// The statement's purpose.
        what: &'static str,
        /// How many rows it must touch.
        expected: u64,
        /// How many it touched.
        found: u64,
    },
    /// A stored value cannot be understood.
    #[error("the database is corrupt: {0}")]
    Corrupt(String),
    /// Anything else, in the database's own words.
    #[error("database error: {0}")]
    Other(String),
}

impl StoreError {
    /// Whether the same call, repeated after a pause, may succeed.
    pub fn is_transient(&self) -> bool {
        self.is_outage() || matches!(self, Self::Full)
    }

    /// Whether the database is unreachable, busy, or not the right one, and may recover without any action here.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Busy
                | Self::HeldUp(_)
                | Self::Unavailable(_)
                | Self::UnknownOutcome(_)
                | Self::Behind(_)
                | Self::AnchorAway(_)
        )
    }
}
