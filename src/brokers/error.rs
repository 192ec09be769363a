//! What goes wrong with a broker.

/// A broker does not do what it should. The text says what happened, and has no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokerError(pub String);
