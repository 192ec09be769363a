//! What a broker is for a publisher.

use super::chunk::Chunk;
use crate::{brokers::BrokerError, domain::Position};

/// A destination at a broker.
pub trait Publisher {
    /// A connection to it.
    type Session: Session;

    /// The broker and the destination, under which the position is kept. It has no password, and stays the same.
    fn destination(&self) -> &str;

    /// Connects, within a time that the broker chooses.
    ///
    /// # Errors
    /// Why nothing can be published now.
    fn connect(&self) -> impl Future<Output = Result<Self::Session, BrokerError>>;
}

/// A connection to which chunks are sent, one after the other. After an error the session is over: any chunk that was not
/// confirmed may have arrived or not.
pub trait Session {
    /// Up to where the destination had the feed when the session began, by its last message. `None` if it has no message with
    /// a position, or cannot say: then the position in the database decides.
    fn arrived(&self) -> Option<Position>;

    /// Sends a chunk behind those before it. Does not wait for the confirm.
    ///
    /// # Errors
    /// Why it cannot be sent.
    fn send(&mut self, chunk: &Chunk) -> impl Future<Output = Result<(), BrokerError>>;

    /// Waits until the broker has taken responsibility for the oldest chunk that it had not confirmed. Never returns if
    /// there is none. Dropping the future loses no confirm.
    ///
    /// # Errors
    /// Why the broker does not take a chunk.
    fn confirmed(&mut self) -> impl Future<Output = Result<(), BrokerError>>;

    /// How the broker is, without asking it.
    ///
    /// # Errors
    /// Why the session is over.
    fn health(&self) -> Result<Health, BrokerError>;

    /// Ends the session.
    fn close(self) -> impl Future<Output = ()>;
}

/// How a broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It takes chunks.
    Taking,
    /// It has said that it takes none for now, because its memory or its disk is full.
    Blocked,
}
