//! A connection that is not made again. async-nats would do so, and send on the new connection what was meant for the old
//! one; here a session ends with its connection, and the loops of the intake and the publishers begin the next one.

use std::{fmt::Display, future::ready, time::Duration};

use async_nats::{
    Client, Event,
    jetstream::{Context, context::ContextBuilder},
};
use tokio::{
    sync::watch::{self, Receiver, Sender},
    time::timeout,
};

use super::endpoint::Endpoint;
use crate::{brokers::BrokerError, formats::shown::field};

/// How long a connection and what is opened on it may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// How long any answer of JetStream may take, if nothing else ends the wait before.
const ANSWERING: Duration = Duration::from_secs(30);

/// Seconds after which a silent connection is checked. It is given up after three times that.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A connection, and why it is over.
pub struct Line {
    /// The client. What it does after the connection is over is of no interest.
    pub client: Client,
    over: Receiver<Option<String>>,
}

/// Connects, under a name that the server shows, and opens what the caller needs. All of it takes ten seconds at most.
///
/// # Errors
/// Why that is not possible now.
pub async fn connect<T>(
    to: &Endpoint,
    name: &str,
    open: impl AsyncFnOnce(&Context) -> Result<T, BrokerError>,
) -> Result<(Line, T), BrokerError> {
    let (tell, over) = watch::channel(None);
    let options = to.options().name(name).ping_interval(HEARTBEAT).connection_timeout(CONNECTING * 2);
    // The library makes one attempt to connect again, because 0 would mean that there is no limit. That connection is not used.
    let options = options.max_reconnects(1).ignore_discovered_servers();
    let options = options.event_callback(move |event| {
        note(&tell, &event);
        ready(())
    });
    let connecting = async {
        let client = options.connect(to.url()).await.map_err(|error| said(&error))?;
        let mut line = Line { client, over };
        let context = ContextBuilder::new().timeout(ANSWERING).build(line.client.clone());
        let opened = line.within(CONNECTING, open(&context)).await?;
        Ok((line, opened))
    };
    timeout(CONNECTING, connecting).await.unwrap_or_else(|_| Err(silent(CONNECTING)))
}

impl Line {
    /// The result of an attempt, which may take so long, and no longer than the connection lasts.
    ///
    /// # Errors
    /// That of the attempt, why the connection is over, or that it took longer.
    pub async fn within<T>(
        &mut self,
        limit: Duration,
        attempt: impl Future<Output = Result<T, BrokerError>>,
    ) -> Result<T, BrokerError> {
        tokio::select! {
            biased;
            result = timeout(limit, attempt) => result.unwrap_or_else(|_| Err(silent(limit))),
            error = self.over() => Err(error),
        }
    }

    /// Waits for the end of the connection; says why it is over.
    pub async fn over(&mut self) -> BrokerError {
        let why = match self.over.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => ENDED.to_owned(),
        };
        BrokerError(why)
    }

    /// Whether the connection lasts.
    ///
    /// # Errors
    /// Why it is over.
    pub fn check(&self) -> Result<(), BrokerError> {
        self.over.borrow().clone().map_or(Ok(()), |why| Err(BrokerError(why)))
    }
}

const ENDED: &str = "the server has ended the connection";

/// Notes why the connection is over. An error of the server comes before the end, and says more. After one that does not end
/// the connection, such as a permission that is missing, what was asked for is never answered.
fn note(over: &Sender<Option<String>>, event: &Event) {
    let why = match event {
        Event::Disconnected => ENDED.to_owned(),
        Event::ServerError(error) => field(&error.to_string()),
        Event::SlowConsumer(_) => "messages have come faster than they were taken".to_owned(),
        _ => return,
    };
    over.send_if_modified(|over| {
        let is_new = over.is_none();
        over.get_or_insert(why);
        is_new
    });
}

fn silent(limit: Duration) -> BrokerError {
    BrokerError(format!("the broker did not answer within {} s", limit.as_secs()))
}

/// An error in one line. The server writes a part of it.
pub fn said(error: &dyn Display) -> BrokerError {
    BrokerError(field(&error.to_string()))
}
