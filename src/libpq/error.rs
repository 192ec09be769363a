//! Why there is no connection.

use diesel::result::Error;

/// An error of an attempt to connect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The server cannot be reached right now; the same call may succeed in a moment.
    #[error("{0}")]
    Unavailable(String),
    /// The server refuses us, or is not the one that we trust: a person has to change something.
    #[error("{0}")]
    Denied(String),
    /// The address cannot be understood, or leads to a server that cannot be used.
    #[error("{0}")]
    BadUrl(String),
}

impl ConnectError {
    /// A connection was lost.
    pub(super) fn lost(error: &Error) -> Self {
        Self::Unavailable(one_line(&error.to_string()))
    }
}

/// libpq's messages span several lines.
pub fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
