//! A connection to RabbitMQ with one channel and one consumer.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel, Connection, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};

use super::address::RabbitMq;
use crate::{
    brokers::{
        BrokerError,
        rabbitmq::{connect, said, within},
    },
    intake::{Broker, Message, Position, Session},
};

/// How long sending an acknowledgement may take.
const SETTLING: Duration = Duration::from_secs(10);

/// A consumer at work.
pub struct RabbitSession {
    connection: Connection,
    channel: Channel,
    consumer: Consumer,
}

impl Broker for RabbitMq {
    type Session = RabbitSession;

    fn source(&self) -> &str {
        RabbitMq::source(self)
    }

    async fn connect(&self) -> Result<RabbitSession, BrokerError> {
        let consume = async |channel: &Channel| {
            channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
            let (queue, tag) = (self.queue.as_str().into(), "signwave".into());
            channel.basic_consume(queue, tag, BasicConsumeOptions::default(), FieldTable::default()).await
        };
        let (connection, channel, consumer) = connect(&self.endpoint, "signwave intake", consume).await?;
        Ok(RabbitSession { connection, channel, consumer })
    }
}

impl Session for RabbitSession {
    async fn next(&mut self) -> Result<Message, BrokerError> {
        message(self.consumer.next().await)
    }

    fn ready(&mut self) -> Result<Option<Message>, BrokerError> {
        self.consumer.next().now_or_never().map(message).transpose()
    }

    async fn settle(&mut self, last: Position) -> Result<(), BrokerError> {
        // Everything up to `last` is stored, because the numbers of one channel are in the order of its messages.
        let acknowledged = self.channel.basic_ack(last.0, BasicAckOptions { multiple: true });
        within(SETTLING, acknowledged).await
    }

    async fn close(self) {
        if let Err(error) = self.connection.close(200, "the intake ends".into()).await {
            log::debug!("the connection to RabbitMQ was over already: {}", said(&error));
        }
    }
}

/// What the consumer has returned as a message.
fn message(next: Option<lapin::Result<Delivery>>) -> Result<Message, BrokerError> {
    match next {
        Some(Ok(delivery)) => Ok(Message {
            position: Position(delivery.delivery_tag),
            id: delivery.properties.message_id().as_ref().map(|id| id.as_str().to_owned()),
            body: Bytes::from(delivery.data),
        }),
        None => Err(BrokerError("the broker has ended the consumer".to_owned())),
        Some(Err(error)) => Err(said(&error)),
    }
}
