//! The loop of the intake: connect, take a chunk, store it, acknowledge it.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::{
    broker::{Broker, Message, Session},
    checking::Checked,
    chunk::gather,
    counters::State,
    links::Links,
    options::Options,
    storing::{Stored, Why, store},
};
use crate::{
    actors::{
        call::call,
        clock::{self, Clock},
        outage::Outage,
    },
    brokers::BrokerError,
    store::StoreError,
};

/// How long closing a session may take. The broker takes the messages back in any case.
const CLOSING: Duration = Duration::from_secs(2);

/// How long the limit of payloads is believed. The database enforces it in any case.
const BELIEVED: Duration = Duration::from_secs(5);

/// An intake from one broker.
pub struct Service<B> {
    broker: B,
    source: Arc<str>,
    options: Options,
    links: Links,
    clock: Clock,
    outage: Outage,
    limit: usize,
    limit_read: Instant,
}

/// Why a session is over.
enum Ended {
    Stopped,
    Lost,
    DatabaseAway,
}

impl<B: Broker> Service<B> {
    /// An intake that has not begun.
    pub fn new(broker: B, options: Options, links: Links) -> Self {
        Self {
            source: broker.source().into(),
            broker,
            options,
            links,
            clock: clock::boottime(),
            outage: Outage::default(),
            limit: 0,
            limit_read: Instant::now(),
        }
    }

    /// Takes messages in until a stop is requested. Then it finishes its chunk, acknowledges it, and ends the session.
    pub async fn run(mut self) {
        // A broker hands out messages again after each session, and counts that. So there is none while they could not
        // be stored.
        while self.database_answers().await {
            let Some(session) = self.connected().await else { break };
            self.links.counters.enter(State::Connected);
            let ended = self.take_in(session).await;
            self.links.counters.enter(match ended {
                Ended::DatabaseAway => State::DatabaseAway,
                Ended::Stopped | Ended::Lost => State::Disconnected,
            });
            if matches!(ended, Ended::Stopped) || matches!(ended, Ended::Lost) && !self.pause().await {
                break;
            }
        }
        self.links.counters.enter(State::Disconnected);
        log::info!("the intake from {} has ended", self.source);
    }

    /// Waits for the database. Returns `false` if a stop was requested.
    async fn database_answers(&mut self) -> bool {
        let (mut outage, stop) = (Outage::default(), self.links.stop.clone());
        loop {
            let read = tokio::select! {
                read = self.read_limit() => read,
                () = stop.requested(1) => return false,
            };
            outage.note("store messages", &read);
            if read.is_ok() {
                return true;
            }
            self.links.counters.enter(State::DatabaseAway);
            if !outage.wait(&stop).await {
                return false;
            }
        }
    }

    async fn read_limit(&mut self) -> Result<(), StoreError> {
        self.limit = call(&self.links.db, |store| store.payload_limit()).await? as usize;
        self.limit_read = Instant::now();
        Ok(())
    }

    /// Connects. Returns `None` if a stop was requested.
    async fn connected(&mut self) -> Option<B::Session> {
        loop {
            let connected = tokio::select! {
                connected = self.broker.connect() => connected,
                () = self.links.stop.requested(1) => return None,
            };
            match connected {
                Ok(session) => {
                    log::info!("taking messages from {}", self.source);
                    return Some(session);
                }
                Err(error) => self.note(Err(error)),
            }
            if !self.pause().await {
                return None;
            }
        }
    }

    /// Takes chunk after chunk out of a session.
    async fn take_in(&mut self, mut session: B::Session) -> Ended {
        let ended = loop {
            let chunk = tokio::select! {
                biased;
                () = self.links.stop.requested(1) => break Ended::Stopped,
                chunk = gather(&mut session) => chunk,
            };
            let settled = match chunk {
                Ok(chunk) => self.take_chunk(&mut session, chunk).await,
                Err(error) => Err(error),
            };
            match settled {
                Ok(Stored::All) => self.note(Ok(())),
                Ok(Stored::NotAll(Why::Stopped)) => break Ended::Stopped,
                Ok(Stored::NotAll(Why::DatabaseAway)) => {
                    log::warn!("messages go back to {} until the database answers", self.source);
                    break Ended::DatabaseAway;
                }
                Err(error) => {
                    self.note(Err(error));
                    break Ended::Lost;
                }
            }
        };
        if timeout(CLOSING, session.close()).await.is_err() {
            log::debug!("{} did not answer to the end of the session", self.source);
        }
        ended
    }

    async fn take_chunk(
        &mut self,
        session: &mut B::Session,
        chunk: Vec<Message>,
    ) -> Result<Stored, BrokerError> {
        let Some(last) = chunk.last().map(|message| message.position) else { return Ok(Stored::All) };
        if self.limit_read.elapsed() > BELIEVED {
            // Without an answer the old limit is used. What it lets through by mistake is refused by the schema.
            drop(self.read_limit().await);
        }
        let messages = chunk.len();
        let checked = chunk.into_iter().map(|message| Checked::of(message, self.options, self.limit));
        let stored = store(checked.collect(), &self.source, &self.links, &self.clock).await;
        if stored == Stored::All {
            // What if we die here? The messages are stored, but not acknowledged: they come again, and change nothing.
            session.settle(last).await?;
            self.links.counters.add_acknowledged(messages);
        }
        Ok(stored)
    }

    /// Notes an attempt. One that connects without settling a chunk is no success, because the next message may end
    /// each session at once.
    fn note(&mut self, attempt: Result<(), BrokerError>) {
        self.outage.note(&format!("take messages from {}", self.source), &attempt);
    }

    /// Waits before the next attempt. Returns `false` if a stop was requested.
    async fn pause(&self) -> bool {
        self.outage.wait(&self.links.stop).await
    }
}
