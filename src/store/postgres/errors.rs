//! What PostgreSQL's errors mean. Diesel passes on the SQLSTATE of a few, the text of all, and whether the
//! connection was lost. The texts are in the server's language, so nothing depends on them, except on those of
//! our triggers.

use diesel::result::{DatabaseErrorKind, Error};

use crate::{
    libpq::{ConnectError, one_line},
    store::{StoreError, anchored::refusal},
};

/// An error within a transaction: `?` turns diesel's errors into it.
#[derive(Debug)]
pub(super) enum Failure {
    /// Final.
    Store(StoreError),
    /// The server rolled it back because of another transaction: a retry may succeed.
    Collided(String),
    /// The server refused a statement, with a text that only people can read: a deadlock, a lock that was not
    /// granted in time, a missing right, a full disk, .. A retry may succeed.
    Unforeseen(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Failure {
    /// An error of a statement, or of BEGIN: nothing was persisted.
    fn from(error: Error) -> Self {
        use DatabaseErrorKind as Kind;
        match error {
            Error::DatabaseError(kind, information) => {
                let message = information.message();
                match kind {
                    Kind::SerializationFailure => Self::Collided(one_line(message)),
                    Kind::UniqueViolation
                    | Kind::ForeignKeyViolation
                    | Kind::NotNullViolation
                    | Kind::CheckViolation
                    | Kind::RestrictViolation
                    | Kind::ExclusionViolation => Self::Store(StoreError::Refused(message.to_owned())),
                    Kind::ReadOnlyTransaction => Self::Store(StoreError::Unusable(NO_WRITES.to_owned())),
                    Kind::ClosedConnection | Kind::UnableToSendCommand => {
                        Self::Store(StoreError::Unavailable(one_line(message)))
                    }
                    _ => match classify_message(message) {
                        StoreError::Other(text) => Self::Unforeseen(text),
                        ours => Self::Store(ours),
                    },
                }
            }
            Error::BrokenTransactionManager => {
                Self::Store(StoreError::Unavailable("the connection was lost".to_owned()))
            }
            Error::RollbackErrorOnCommit { commit_error, .. } => Self::from(*commit_error),
            Error::DeserializationError(error) => Self::Store(StoreError::Corrupt(error.to_string())),
            error => Self::Store(StoreError::Other(one_line(&error.to_string()))),
        }
    }
}

const NO_WRITES: &str = "the server accepts no writes, because it is a standby or was made read-only";

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error,
            Failure::Collided(reason) => {
                Self::HeldUp(format!("other transactions conflicted with this one ({reason})"))
            }
            Failure::Unforeseen(text) => Self::Other(text),
        }
    }
}

impl From<ConnectError> for StoreError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Unavailable(text) => Self::Unavailable(text),
            ConnectError::Denied(text) => Self::Denied(text),
            ConnectError::BadUrl(text) => Self::BadUrl(text),
        }
    }
}

/// An error of COMMIT itself. Only these are certain: the server says that it rolled back.
pub(super) fn classify_commit(error: Error) -> Failure {
    match Failure::from(error) {
        certain @ (Failure::Collided(_) | Failure::Store(StoreError::Refused(_))) => certain,
        uncertain => Failure::Store(StoreError::UnknownOutcome(StoreError::from(uncertain).to_string())),
    }
}

/// Every trigger of the schema begins its message with this.
const OUR_TRIGGERS: &str = "signwave: ";

/// Classifies an error by its text alone: a refusal by one of our triggers, or an unknown error.
pub fn classify_message(message: &str) -> StoreError {
    match message.strip_prefix(OUR_TRIGGERS) {
        Some(ours) => refusal(ours),
        None => StoreError::Other(one_line(message)),
    }
}
