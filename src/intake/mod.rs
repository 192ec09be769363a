//! Layer 3, the intake: takes messages from a broker, and stores them before it acknowledges them.
//!
//! ```text
//!  broker ──▶ Session ──▶ chunk ──▶ checked ──▶ one transaction (records, refusals) ──▶ COMMIT ──▶ acknowledge
//! ```
//!
//! A broker is a folder with an implementation of [`Broker`], and a line of [`Address::take_in`] and of
//! [`Address::from_str`]. `service` is the loop, which is the same for each of them.

mod broker;
mod checking;
mod chunk;
mod counters;
#[cfg(feature = "kafka")]
mod kafka;
mod links;
mod nats;
mod options;
mod rabbitmq;
mod service;
mod storing;
mod taking;

use std::{fmt, str::FromStr};

pub use broker::{Broker, Message, Position, Session};
pub use counters::{Counters, State};
pub use links::Links;
pub use options::{Form, Options, WithoutId};
pub use service::Service;
pub use taking::Taking;

use crate::brokers::BadAddress;
#[cfg(feature = "kafka")]
use kafka::Kafka;
use nats::Nats;
use rabbitmq::RabbitMq;

/// Where messages come from. `Debug` and `Display` do not show the password.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// A queue of RabbitMQ: `amqp://USER:PASSWORD@HOST:PORT/VHOST?queue=NAME`, or `amqps://` with TLS.
    RabbitMq(Box<RabbitMq>, Options),
    /// A consumer of NATS: `nats://USER:PASSWORD@HOST:PORT?stream=NAME&consumer=NAME`, or `tls://` with TLS.
    Nats(Box<Nats>, Options),
    /// A topic of Kafka: `kafka://HOST:PORT,..?topic=NAME&group=NAME`.
    #[cfg(feature = "kafka")]
    Kafka(Box<Kafka>, Options),
}

impl Address {
    /// Takes messages in until a stop is requested.
    pub async fn take_in(self, links: Links) {
        match self {
            Self::RabbitMq(broker, options) => Service::new(*broker, options, links).run().await,
            Self::Nats(broker, options) => Service::new(*broker, options, links).run().await,
            #[cfg(feature = "kafka")]
            Self::Kafka(broker, options) => Service::new(*broker, options, links).run().await,
        }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        match text.split_once("://") {
            Some((scheme @ ("amqp" | "amqps"), rest)) => {
                let (broker, options) = RabbitMq::parse(scheme == "amqps", rest)?;
                Ok(Self::RabbitMq(Box::new(broker), options))
            }
            Some((scheme @ ("nats" | "tls"), rest)) => {
                let (broker, options) = Nats::parse(scheme == "tls", rest)?;
                Ok(Self::Nats(Box::new(broker), options))
            }
            #[cfg(feature = "kafka")]
            Some(("kafka", rest)) => {
                let (broker, options) = Kafka::parse(rest)?;
                Ok(Self::Kafka(Box::new(broker), options))
            }
            #[cfg(not(feature = "kafka"))]
            Some(("kafka", _)) => Err(BadAddress::KafkaNotBuilt),
            Some(("kafkas" | "kafka+ssl", _)) => Err(BadAddress::PlainOnly),
            _ => Err(BadAddress::UnknownBroker),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RabbitMq(broker, _) => f.write_str(broker.source()),
            Self::Nats(broker, _) => f.write_str(broker.source()),
            #[cfg(feature = "kafka")]
            Self::Kafka(broker, _) => f.write_str(broker.source()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
