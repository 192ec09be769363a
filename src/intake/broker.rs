//! What a broker is for the intake.

use bytes::Bytes;

use crate::brokers::BrokerError;

/// A queue of a broker.
pub trait Broker {
    /// A connection to it.
    type Session: Session;

    /// The broker and the queue, for logs and for refused messages. It has no password, and stays the same.
    fn source(&self) -> &str;

    /// Connects, within a time that the broker chooses.
    ///
    /// # Errors
    /// Why no messages can be taken now.
    fn connect(&self) -> impl Future<Output = Result<Self::Session, BrokerError>>;
}

/// A connection from which messages come, one after the other. Their places mean nothing in another session.
pub trait Session {
    /// Waits for the next message. Dropping the future loses no message.
    ///
    /// # Errors
    /// Why no more messages come. The session is over.
    fn next(&mut self) -> impl Future<Output = Result<Message, BrokerError>>;

    /// The next message, if it has arrived already.
    ///
    /// # Errors
    /// As [`Session::next`].
    fn ready(&mut self) -> Result<Option<Message>, BrokerError>;

    /// Acknowledges every message of this session up to this one. Callers have stored them all.
    ///
    /// # Errors
    /// The acknowledgement may have arrived or not. The session is over.
    fn settle(&mut self, last: Position) -> impl Future<Output = Result<(), BrokerError>>;

    /// Ends the session. What was not acknowledged comes again.
    fn close(self) -> impl Future<Output = ()>;
}

/// The place of a message in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(pub u64);

/// A message, as it has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place in its session.
    pub position: Position,
    /// The name that its producer gave it.
    pub id: Option<String>,
    /// Its bytes.
    pub body: Bytes,
}
