//! A connection to NATS on which each message says which one is before it, so that the stream has each once and in order.
//!
//! `Nats-Expected-Last-Subject-Sequence` is the number that the last message of the subject must have. The stream refuses
//! any other message: one that it has already, and what a node sends whose claim is over. The number is that of the subject,
//! not of the stream, because others may write to other subjects. It is known when the message before is confirmed, so one
//! message is under way at a time.

use std::{collections::VecDeque, future::pending, pin::Pin};

use async_nats::{
    header::NATS_MESSAGE_ID,
    jetstream::{
        Context,
        context::{PublishError, PublishErrorKind},
        message::PublishMessage,
        publish::PublishAck,
        stream::{LastRawMessageErrorKind, RetentionPolicy, Stream},
    },
};

use super::address::Nats;
use crate::{
    brokers::{
        BrokerError,
        nats::{Line, connect, durable_stream, said},
    },
    domain::Position,
    publishing::{
        broker::{Health, Publisher, Session},
        chunk::Chunk,
    },
};

/// A publisher at work.
pub struct NatsSession {
    line: Line,
    context: Context,
    to: Nats,
    last: Last,
    under_way: Option<UnderWay>,
    /// What is sent when those before it are confirmed.
    waiting: VecDeque<PublishMessage>,
}

type UnderWay = Pin<Box<dyn Future<Output = Result<PublishAck, PublishError>>>>;

/// The last message of the subject.
#[derive(Clone, Copy)]
struct Last {
    /// Its number in the stream; 0 if there is none.
    sequence: u64,
    /// Its id, if it has one of ours.
    position: Option<Position>,
}

impl Publisher for Nats {
    type Session = NatsSession;

    fn destination(&self) -> &str {
        self.name()
    }

    async fn connect(&self) -> Result<NatsSession, BrokerError> {
        let open = async |context: &Context| {
            let stream = durable_stream(context, &self.stream).await?;
            let config = &stream.cached_info().config;
            let flaw = if config.retention != RetentionPolicy::Limits {
                // Its last message is not the one that was published last.
                "deletes what was consumed: make one with the retention 'limits', from which others may take"
            } else if config.no_ack {
                "acknowledges no message: make one without 'no-ack'"
            } else {
                return Ok((context.clone(), last(&stream, &self.subject).await?));
            };
            Err(said(&format_args!("the stream {} {flaw}", self.stream)))
        };
        let (line, (context, last)) = connect(&self.endpoint, "signwave publisher", open).await?;
        Ok(NatsSession { line, context, to: self.clone(), last, under_way: None, waiting: VecDeque::new() })
    }
}

/// Asks for the last message of the subject, which its leader answers.
async fn last(stream: &Stream, subject: &str) -> Result<Last, BrokerError> {
    match stream.get_last_raw_message_by_subject(subject).await {
        Ok(message) => {
            let id = message.headers.get(NATS_MESSAGE_ID);
            let position = id.and_then(|id| id.as_str().parse().ok());
            Ok(Last { sequence: message.sequence, position })
        }
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
            Ok(Last { sequence: 0, position: None })
        }
        Err(error) => Err(said(&error)),
    }
}

impl Session for NatsSession {
    fn arrived(&self) -> Option<Position> {
        self.last.position
    }

    async fn send(&mut self, chunk: &Chunk) -> Result<(), BrokerError> {
        let message = PublishMessage::build().payload(chunk.body.clone().into());
        let message = message.message_id(chunk.position.to_string()).expected_stream(&self.to.stream);
        self.waiting.push_back(message);
        self.go_on();
        Ok(())
    }

    async fn confirmed(&mut self) -> Result<(), BrokerError> {
        let Some(under_way) = &mut self.under_way else { return pending().await };
        let answer = tokio::select! {
            biased;
            answer = under_way.as_mut() => answer,
            error = self.line.over() => return Err(error),
        };
        self.under_way = None;
        self.last.sequence = judge(answer)?;
        self.go_on();
        Ok(())
    }

    fn health(&self) -> Result<Health, BrokerError> {
        self.line.check().map(|()| Health::Taking)
    }

    async fn close(self) {} // nothing is left to say: the client goes with the last one who uses it
}

impl NatsSession {
    /// Sends the next message, if none is under way.
    fn go_on(&mut self) {
        if self.under_way.is_none()
            && let Some(message) = self.waiting.pop_front()
        {
            let message = message.expected_last_subject_sequence(self.last.sequence);
            let (context, subject) = (self.context.clone(), self.to.subject.clone());
            self.under_way =
                Some(Box::pin(async move { context.send_publish(subject, message).await?.await }));
        }
    }
}

/// The number of the message in the stream.
fn judge(answer: Result<PublishAck, PublishError>) -> Result<u64, BrokerError> {
    match answer {
        Ok(PublishAck { sequence, duplicate: false, .. }) => Ok(sequence),
        // It does not say that the subject has the message: that may be deleted, or be under another subject.
        Ok(_) => Err(BrokerError(
            "the stream has refused a message, because it had one of this id within its duplicate window"
                .to_owned(),
        )),
        Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Err(BrokerError(
            "the stream has refused a message, because another one has come to this subject in the meantime"
                .to_owned(),
        )),
        Err(error) => Err(said(&error)),
    }
}
