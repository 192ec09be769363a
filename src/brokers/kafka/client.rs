//! A client of librdkafka. What it does may block, so threads wait for it, and the runtime does not.

use std::{fmt::Display, ops::Deref, sync::Arc, thread};

use tokio::sync::oneshot;

use super::cluster::Turn;
use crate::{brokers::BrokerError, formats::shown::field};

/// A client, which ends in a thread, because it may have to wait for brokers or other threads then.
pub struct Client<T: Send + Sync + 'static> {
    /// `None` when it has ended.
    held: Option<Arc<Held<T>>>,
}

/// The client ends before another one gets its turn.
pub struct Held<T> {
    client: T,
    _turn: Turn,
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.client
    }
}

impl<T: Send + Sync + 'static> Client<T> {
    /// Keeps a client whose turn it is.
    pub fn new(client: T, turn: Turn) -> Self {
        Self { held: Some(Arc::new(Held { client, _turn: turn })) }
    }

    /// The client.
    ///
    /// # Errors
    /// That it has ended.
    pub fn held(&self) -> Result<&Arc<Held<T>>, BrokerError> {
        self.held.as_ref().ok_or_else(ended)
    }

    /// Ends it, and waits for that. If the wait is cut short, it ends all the same.
    pub async fn end(mut self) {
        let held = self.held.take();
        let end = beside(move || {
            drop(held);
            Ok(())
        });
        if let Err(error) = end.await {
            log::debug!("the connection to Kafka has not ended well: {error}");
        }
    }
}

impl<T: Send + Sync + 'static> Drop for Client<T> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take()
            && let Err(error) = thread::Builder::new().name("kafka-end".to_owned()).spawn(|| drop(held))
        {
            log::warn!("a connection to Kafka was ended without a thread: {error}");
        }
    }
}

/// Does work that blocks in a thread, and waits for its result. The work goes on if the wait is cut short.
///
/// # Errors
/// Those of the work, and that there is no thread for it.
pub async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BrokerError> + Send + 'static,
) -> Result<T, BrokerError> {
    let (tell, told) = oneshot::channel();
    let run = move || drop(tell.send(work()));
    thread::Builder::new().name("kafka-call".to_owned()).spawn(run).map_err(|error| said(&error))?;
    told.await.unwrap_or_else(|_| Err(ended()))
}

/// That a client has ended.
pub fn ended() -> BrokerError {
    BrokerError("the connection has ended".to_owned())
}

/// An error in one line. The broker writes a part of it.
pub fn said(error: &dyn Display) -> BrokerError {
    BrokerError(field(&error.to_string()))
}
