//! Why a message got no answer.

use std::time::Duration;

use super::endpoint::EndpointError;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The address leads to where a webhook must not go, or to nowhere.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// The message cannot be signed.
    #[error("{0}")]
    Secret(String),
    /// No connection was made.
    #[error("no connection to the server could be made: {0}")]
    NotConnected(String),
    /// The server's certificate is not trusted, or TLS failed otherwise.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// What came was no answer.
    #[error("the server did not answer as HTTP has it: {0}")]
    Broken(String),
    /// It took too long.
    #[error("the server did not answer within {:.1} s", .0.as_secs_f64())]
    TimedOut(Duration),
}
