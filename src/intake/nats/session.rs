//! A connection to NATS that pulls from a consumer.

use std::{collections::VecDeque, time::Duration};

use async_nats::{
    HeaderMap, Request, Subject,
    header::NATS_MESSAGE_ID,
    jetstream::{
        self, AckKind, Context,
        consumer::{
            AckPolicy, PullConsumer,
            pull::{self, MessagesError},
        },
    },
};
use futures_util::{FutureExt, StreamExt};
use tokio::task::unconstrained;

use super::address::Nats;
use crate::{
    brokers::{
        BrokerError,
        nats::{Line, connect, durable_stream, said},
    },
    intake::{Broker, Message, Position, Session},
};

/// How long acknowledging a chunk may take.
const SETTLING: Duration = Duration::from_secs(10);

/// How often the server says that a request for messages is still there. Without that, it is given up after twice as long.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A consumer at work.
pub struct NatsSession {
    line: Line,
    messages: pull::Stream,
    /// The position of the last message.
    last: u64,
    /// Where the messages that are not settled are acknowledged, the oldest first.
    unsettled: VecDeque<(Position, Subject)>,
}

impl Broker for Nats {
    type Session = NatsSession;

    fn source(&self) -> &str {
        Nats::source(self)
    }

    async fn connect(&self) -> Result<NatsSession, BrokerError> {
        let open = async |context: &Context| {
            let stream = durable_stream(context, &self.stream).await?;
            let consumer = stream.get_consumer(&self.consumer).await.map_err(|error| said(&error))?;
            check(&consumer, &self.consumer)?;
            // The library asks for the next messages when half of those that it asked for have come.
            let at_a_time = usize::from(self.prefetch) * 2 / 3;
            let messages = consumer.stream().max_messages_per_batch(at_a_time.max(1)).heartbeat(HEARTBEAT);
            messages.messages().await.map_err(|error| said(&error))
        };
        let (line, messages) = connect(&self.endpoint, "signwave intake", open).await?;
        Ok(NatsSession { line, messages, last: 0, unsettled: VecDeque::new() })
    }
}

/// Refuses a consumer that would lose messages.
fn check(consumer: &PullConsumer, name: &str) -> Result<(), BrokerError> {
    let config = &consumer.cached_info().config;
    let flaw = if config.durable_name.is_none() {
        "is not durable: the server forgets what was acknowledged"
    } else if config.ack_policy != AckPolicy::Explicit {
        "must have the acknowledgement policy 'explicit', because any other one acknowledges messages that are not stored"
    } else if config.max_deliver > 0 {
        "has a limit of deliveries, after which a message is lost: set it to -1"
    } else if config.headers_only {
        "leaves out the bodies of the messages"
    } else {
        return Ok(());
    };
    Err(said(&format_args!("the consumer {name} {flaw}")))
}

impl Session for NatsSession {
    async fn next(&mut self) -> Result<Message, BrokerError> {
        let next = tokio::select! {
            biased;
            error = self.line.over() => return Err(error),
            next = self.messages.next() => next,
        };
        self.take(next)
    }

    fn ready(&mut self) -> Result<Option<Message>, BrokerError> {
        // Otherwise tokio would say after 128 messages that there are none.
        let next = unconstrained(self.messages.next()).now_or_never();
        next.map(|next| self.take(next)).transpose()
    }

    async fn settle(&mut self, last: Position) -> Result<(), BrokerError> {
        let (client, unsettled) = (self.line.client.clone(), &mut self.unsettled);
        let acknowledged = async {
            while let Some((position, reply)) = unsettled.pop_front() {
                if position != last {
                    client.publish(reply, AckKind::Ack.into()).await.map_err(|error| said(&error))?;
                    continue;
                }
                // The server answers to the last one, and has then seen those before it, because it takes what one connection
                // sends in order.
                let ack = Request::new().payload(AckKind::Ack.into());
                client.send_request(reply, ack).await.map_err(|error| said(&error))?;
                break;
            }
            Ok(())
        };
        self.line.within(SETTLING, acknowledged).await
    }

    async fn close(mut self) {
        // Otherwise what is on its way would come again only when the consumer's time for acknowledgements is over.
        while let Ok(Some(_)) = self.ready() {}
        if self.line.check().is_err() {
            return;
        }
        let client = &self.line.client;
        drop(self.messages); // so that nothing comes again to here
        let given_back = async {
            client.flush().await.map_err(|error| said(&error))?;
            for (_, reply) in self.unsettled {
                client.publish(reply, AckKind::Nak(None).into()).await.map_err(|error| said(&error))?;
            }
            client.flush().await.map_err(|error| said(&error))
        };
        if let Err(error) = given_back.await {
            log::debug!("the connection to NATS was over already: {error}");
        }
    }
}

impl NatsSession {
    /// What the consumer has returned as a message.
    fn take(
        &mut self,
        next: Option<Result<jetstream::Message, MessagesError>>,
    ) -> Result<Message, BrokerError> {
        let next = next.ok_or_else(|| BrokerError("the server has ended the consumer".to_owned()))?;
        let message = next.map_err(|error| said(&error))?.message;
        let reply = message.reply.ok_or_else(|| BrokerError("a message of no stream has come".to_owned()))?;
        self.last += 1;
        let position = Position(self.last);
        self.unsettled.push_back((position, reply));
        Ok(Message { position, id: message.headers.as_ref().and_then(name), body: message.payload })
    }
}

/// The name that the producer gave a message.
fn name(headers: &HeaderMap) -> Option<String> {
    headers.get(NATS_MESSAGE_ID).map(|id| id.as_str().to_owned())
}
