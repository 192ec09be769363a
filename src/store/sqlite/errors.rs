//! What SQLite's errors mean. Diesel passes on little more than their texts, which SQLite has kept
//! since 2003; the tests provoke each of them for real.

use diesel::result::{DatabaseErrorKind, Error};

use crate::store::{StoreError, anchored::refusal};

/// An error within a transaction: `?` turns diesel's errors into it.
#[derive(Debug)]
pub(super) struct Failure(pub(super) StoreError);

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(classify(&error))
    }
}

/// An error of a statement, or of BEGIN: nothing was persisted.
pub(super) fn classify(error: &Error) -> StoreError {
    match error {
        Error::DatabaseError(
            DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation,
            information,
        ) => StoreError::Refused(information.message().to_owned()),
        Error::DatabaseError(_, information) => classify_message(information.message()),
        Error::RollbackErrorOnCommit { commit_error, .. } => classify(commit_error),
        Error::DeserializationError(error) => StoreError::Corrupt(error.to_string()),
        error => StoreError::Other(error.to_string()),
    }
}

/// An error of COMMIT itself.
///
/// Most leave it open whether the transaction happened: after a failed fsync its last page may be on
/// the disk all the same, and be found there by the recovery after a crash. These are certain:
/// - busy, refused (a deferred constraint), read-only: SQLite stops before it writes anything;
/// - full: it is reported by `write` only, never by fsync, and the page that makes a transaction
///   valid is written last.
pub(super) fn classify_commit(error: &Error) -> StoreError {
    match classify(error) {
        certain
        @ (StoreError::Busy | StoreError::Refused(_) | StoreError::ReadOnly(_) | StoreError::Full) => certain,
        error => StoreError::UnknownOutcome(error.to_string()),
    }
}

/// Every trigger of the schema begins its message with this.
const OUR_TRIGGERS: &str = "signwave: ";

/// The texts are those of `sqlite3ErrStr` in SQLite's main.c, and of its constraints.
pub fn classify_message(message: &str) -> StoreError {
    let owned = || message.to_owned();
    match message {
        "database is locked" | "locking protocol" => StoreError::Busy,
        "database or disk is full" => StoreError::Full,
        "attempt to write a readonly database" => StoreError::ReadOnly(String::new()),
        "file is not a database" => StoreError::NotADatabase(String::new()),
        "unable to open database file" | "disk I/O error" | "out of memory" => {
            StoreError::Unavailable(owned())
        }
        "database disk image is malformed" => StoreError::Corrupt(owned()),
        _ if message.starts_with(OUR_TRIGGERS) => refusal(&message[OUR_TRIGGERS.len()..]),
        _ if message.contains("constraint failed") => StoreError::Refused(owned()),
        _ if message.contains("is locked") => StoreError::Busy,
        _ if message.starts_with("malformed database schema") => StoreError::Corrupt(owned()),
        _ => StoreError::Other(owned()),
    }
}
