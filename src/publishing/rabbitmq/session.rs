//! A connection to RabbitMQ with one channel, on which the broker confirms each message.

use std::{collections::VecDeque, future::pending, pin::Pin};

use futures_util::FutureExt;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};

use super::address::RabbitMq;
use crate::{
    brokers::{
        BrokerError,
        rabbitmq::{connect, said},
    },
    domain::Position,
    formats::shown::field,
    publishing::{
        broker::{Health, Publisher, Session},
        chunk::Chunk,
    },
};

/// What the body of a message is.
const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The broker writes such a message to its disk.
const PERSISTENT: u8 = 2;

/// A publisher at work.
pub struct RabbitSession {
    connection: Connection,
    channel: Channel,
    to: RabbitMq,
    /// The messages that are not known to be confirmed, the oldest first.
    sent: VecDeque<Sent>,
}

/// A message that was sent.
enum Sent {
    Waiting(Pin<Box<dyn Future<Output = lapin::Result<Confirmation>>>>),
    Confirmed,
}

impl Publisher for RabbitMq {
    type Session = RabbitSession;

    fn destination(&self) -> &str {
        self.name()
    }

    async fn connect(&self) -> Result<RabbitSession, BrokerError> {
        let select = async |channel: &Channel| channel.confirm_select(ConfirmSelectOptions::default()).await;
        let (connection, channel, ()) = connect(&self.endpoint, "signwave publisher", select).await?;
        Ok(RabbitSession { connection, channel, to: self.clone(), sent: VecDeque::new() })
    }
}

impl Session for RabbitSession {
    fn arrived(&self) -> Option<Position> {
        None // a queue does not show its last message
    }

    async fn send(&mut self, chunk: &Chunk) -> Result<(), BrokerError> {
        let properties = BasicProperties::default()
            .with_message_id(chunk.position.to_string().into())
            .with_content_type(CONTENT_TYPE.into())
            .with_delivery_mode(PERSISTENT);
        let (exchange, routing_key) = (self.to.exchange.as_str().into(), self.to.routing_key.as_str().into());
        // Mandatory: the broker would otherwise confirm a message that it has put into no queue.
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (channel, body) = (self.channel.clone(), chunk.body.clone());
        self.sent.push_back(Sent::Waiting(Box::pin(async move {
            channel.basic_publish(exchange, routing_key, options, &body, properties).await?.await
        })));
        // lapin queues a message when its future is first polled, so this keeps the messages in order.
        self.sent.back_mut().map_or(Ok(()), Sent::look)
    }

    async fn confirmed(&mut self) -> Result<(), BrokerError> {
        let Some(oldest) = self.sent.front_mut() else { return pending().await };
        if let Sent::Waiting(waiting) = oldest {
            let answer = waiting.await;
            *oldest = Sent::Confirmed;
            judge(answer)?;
            // The broker returns a message that it cannot route just before it confirms it. lapin hands what was returned to
            // the next message that is confirmed, which may be a later one if the broker confirms several in one frame. So
            // no message is believed to be in a queue while a later one has something to say.
            self.sent.iter_mut().try_for_each(Sent::look)?;
        }
        self.sent.pop_front();
        Ok(())
    }

    fn health(&self) -> Result<Health, BrokerError> {
        let status = self.connection.status();
        if !status.connected() || !self.channel.status().connected() {
            return Err(BrokerError("the broker has ended the connection".to_owned()));
        }
        Ok(if status.blocked() { Health::Blocked } else { Health::Taking })
    }

    async fn close(self) {
        if let Err(error) = self.connection.close(200, "the publisher ends".into()).await {
            log::debug!("the connection to RabbitMQ was over already: {}", said(&error));
        }
    }
}

impl Sent {
    /// Notes the answer if there is one.
    fn look(&mut self) -> Result<(), BrokerError> {
        let Self::Waiting(waiting) = self else { return Ok(()) };
        match waiting.as_mut().now_or_never() {
            None => Ok(()),
            Some(answer) => {
                *self = Self::Confirmed;
                judge(answer)
            }
        }
    }
}

/// Whether the message is in a queue.
fn judge(answer: lapin::Result<Confirmation>) -> Result<(), BrokerError> {
    match answer.map_err(|error| said(&error))? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => Err(BrokerError(format!(
            "the broker has no queue for the messages ({} {}): make the queue, or bind one to the exchange",
            returned.reply_code,
            field(returned.reply_text.as_str())
        ))),
        Confirmation::Nack(None) => Err(BrokerError(
            "the broker refuses the messages (nack): see its log, and whether the queue is full".to_owned(),
        )),
        Confirmation::NotRequested => Err(BrokerError("the broker does not confirm messages".to_owned())),
    }
}
