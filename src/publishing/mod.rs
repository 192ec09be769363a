//! Layer 3, the publishers: send the feed to brokers, and keep in the database how far each destination is.
//!
//! ```text
//!  feed ──▶ chunk ──▶ Session ──▶ broker ──▶ confirmed ──▶ the place of the outlet, in one transaction
//! ```
//!
//! A broker is a folder with an implementation of [`Publisher`], and a line of [`Address::publish`] and of
//! [`Address::from_str`]. `service` claims the outlet, and `transmission` is what happens on one connection.

mod broker;
mod chunk;
mod counters;
#[cfg(feature = "kafka")]
mod kafka;
mod links;
mod nats;
mod options;
mod publishers;
mod rabbitmq;
mod reading;
mod service;
mod transmission;

use std::{fmt, str::FromStr};

pub use broker::{Health, Publisher, Session};
pub use chunk::Chunk;
pub use counters::{Counters, State};
pub use links::Links;
pub use options::{From, Options};
pub use publishers::Publishing;
pub use service::Service;

use crate::brokers::BadAddress;
#[cfg(feature = "kafka")]
use kafka::Kafka;
use nats::Nats;
use rabbitmq::RabbitMq;

/// Where signatures are published. `Debug` and `Display` do not show the password.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// A queue of RabbitMQ, `amqp://USER:PASSWORD@HOST:PORT/VHOST?queue=NAME`, or an exchange, `?exchange=NAME&routing-key=KEY`;
    /// `amqps://` with TLS.
    RabbitMq(Box<RabbitMq>, Options),
    /// A stream of NATS: `nats://USER:PASSWORD@HOST:PORT?stream=NAME&subject=NAME`; `tls://` with TLS.
    Nats(Box<Nats>, Options),
    /// A topic of Kafka: `kafka://HOST:PORT,..?topic=NAME`.
    #[cfg(feature = "kafka")]
    Kafka(Box<Kafka>, Options),
}

impl Address {
    /// Publishes until a stop is requested.
    pub async fn publish(self, links: Links) {
        match self {
            Self::RabbitMq(broker, options) => Service::new(*broker, options.from, links).run().await,
            Self::Nats(broker, options) => Service::new(*broker, options.from, links).run().await,
            #[cfg(feature = "kafka")]
            Self::Kafka(broker, options) => Service::new(*broker, options.from, links).run().await,
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
            Self::RabbitMq(broker, _) => f.write_str(broker.name()),
            Self::Nats(broker, _) => f.write_str(broker.name()),
            #[cfg(feature = "kafka")]
            Self::Kafka(broker, _) => f.write_str(broker.name()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
