//! A connection to RabbitMQ with one channel and one consumer.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel, Connection, ConnectionProperties, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    runtime::default_runtime,
    tcp::OwnedTLSConfig,
    types::FieldTable,
};
use tokio::time::timeout;

use super::address::RabbitMq;
use crate::{
    formats::shown::field,
    intake::{Broker, BrokerError, Message, Position, Session},
};

/// How long a connection with its channel and its consumer may take. lapin itself has no limit.
const CONNECTING: Duration = Duration::from_secs(10);

/// How long sending an acknowledgement may take.
const SETTLING: Duration = Duration::from_secs(10);

/// The largest file of certificates; reading stops there.
const MAX_CERTIFICATES: u64 = 1 << 20;

/// A consumer at work. lapin does not recover it, because an acknowledgement with the number of a lost channel would
/// then name another message.
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
        let certificates = self.authorities.as_deref().map(read_certificates).transpose()?;
        let tls = OwnedTLSConfig { identity: None, cert_chain: certificates };
        within(CONNECTING, open(self, tls)).await
    }
}

async fn open(to: &RabbitMq, tls: OwnedTLSConfig) -> lapin::Result<RabbitSession> {
    let properties = ConnectionProperties::default().with_connection_name("signwave intake".into());
    let connecting = Connection::connect_uri_with_config(to.uri.clone(), properties, tls, default_runtime()?);
    let connection = connecting.await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(to.prefetch, BasicQosOptions::default()).await?;
    let (queue, tag) = (to.queue.as_str().into(), "signwave".into());
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue, tag, options, FieldTable::default()).await?;
    Ok(RabbitSession { connection, channel, consumer })
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
        Some(Err(error)) => Err(BrokerError(said(&error))),
    }
}

async fn within<T>(
    limit: Duration,
    attempt: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match timeout(limit, attempt).await {
        Ok(result) => result.map_err(|error| BrokerError(said(&error))),
        Err(_) => Err(BrokerError(format!("the broker did not answer within {} s", limit.as_secs()))),
    }
}

/// An error in one line. The broker writes a part of it.
fn said(error: &lapin::Error) -> String {
    field(&error.to_string())
}

fn read_certificates(path: &Path) -> Result<String, BrokerError> {
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(MAX_CERTIFICATES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_CERTIFICATES {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(text)
    };
    read().map_err(|error| {
        BrokerError(format!("the certificates in '{}' cannot be read: {error}", path.display()))
    })
}
