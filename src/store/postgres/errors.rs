//! What PostgreSQL's errors mean. Diesel passes on the SQLSTATE of a few and the text of all; the
//! texts are English because each connection asks for that (see `connection.rs`).

use diesel::result::{DatabaseErrorKind, Error};

use crate::store::StoreError;

/// An error within a transaction: `?` turns diesel's errors into it.
#[derive(Debug)]
pub(super) enum Failure {
    /// Final.
    Store(StoreError),
    /// The server rolled it back because of another transaction: the same once more may succeed.
    Collided(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::DatabaseError(DatabaseErrorKind::SerializationFailure, information) => {
                Self::Collided(information.message().to_owned())
            }
            Error::DatabaseError(_, information) if information.message() == "deadlock detected" => {
                Self::Collided(information.message().to_owned())
            }
            error => Self::Store(classify(error)),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error,
            Failure::Collided(_) => Self::Busy,
        }
    }
}

/// An error of a statement, or of BEGIN: nothing was persisted.
pub(super) fn classify(error: &Error) -> StoreError {
    match error {
        Error::DatabaseError(kind, information) => {
            let message = information.message();
            match kind {
                DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation => StoreError::Refused(message.to_owned()),
                DatabaseErrorKind::ReadOnlyTransaction => StoreError::ReadOnly(String::new()),
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
                    StoreError::Unavailable(one_line(message))
                }
                _ => classify_message(message),
            }
        }
        Error::BrokenTransactionManager => StoreError::Unavailable("the connection was lost".to_owned()),
        Error::RollbackErrorOnCommit { commit_error, .. } => classify(commit_error),
        Error::DeserializationError(error) => StoreError::Corrupt(error.to_string()),
        error => StoreError::Other(error.to_string()),
    }
}

/// An error of COMMIT itself. Only these are certain: the server says that it rolled back.
pub(super) fn classify_commit(error: Error) -> Failure {
    match Failure::from(error) {
        Failure::Store(error) if !matches!(error, StoreError::Refused(_)) => {
            Failure::Store(StoreError::UnknownOutcome(error.to_string()))
        }
        certain => certain,
    }
}

/// Every trigger of the schema begins its message with this.
const OUR_TRIGGERS: &str = "signwave: ";

/// What the texts of a lost, refused or closing connection contain: of libpq (fe-misc.c, fe-secure.c,
/// fe-connect.c) and of the server (postinit.c, postgres.c).
const UNREACHABLE: [&str; 14] = [
    "connection to server",
    "could not connect to server",
    "could not receive data from server",
    "could not send data to server",
    "could not translate host name",
    "lost synchronization with server",
    "no connection to the server",
    "server closed the connection",
    "SSL SYSCALL error",
    "SSL connection has been closed",
    "terminating connection",
    "the database system is",
    "too many clients already",
    "remaining connection slots are reserved",
];

/// What the text of a connection that was not made contains when there is no server yet, or none that
/// takes connections. Whatever else it says, such as a wrong password, will be said again. A host whose
/// name nobody knows may be a mistake; a name server that does not answer is none.
const DOWN: [&str; 14] = [
    "Is the server running",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "timeout expired",
    "No route to host",
    "Network is unreachable",
    "Temporary failure in name resolution",
    "server closed the connection",
    "SSL SYSCALL error",
    "terminating connection",
    "the database system is",
    "too many clients already",
    "remaining connection slots are reserved",
];

/// Whether a connection could not be made for now.
pub(super) fn is_down(message: &str) -> bool {
    DOWN.iter().any(|text| message.contains(text))
}

/// Somebody holds a lock, or the server has too much to do.
const BUSY: [&str; 2] =
    ["canceling statement due to lock timeout", "canceling statement due to statement timeout"];

/// What an error means by its text alone.
pub fn classify_message(message: &str) -> StoreError {
    if let Some(ours) = message.strip_prefix(OUR_TRIGGERS) {
        StoreError::Refused(ours.to_owned())
    } else if BUSY.contains(&message) {
        StoreError::Busy
    } else if message.contains("No space left on device") {
        StoreError::Full
    } else if UNREACHABLE.iter().any(|text| message.contains(text)) {
        StoreError::Unavailable(one_line(message))
    } else {
        StoreError::Other(one_line(message))
    }
}

/// libpq explains itself over several lines.
pub(super) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
