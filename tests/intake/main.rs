//! Records that come from a broker: a real RabbitMQ, a real NATS, and one that does as a script says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod between;
mod kills;
mod leftovers;
mod nats;
mod outage;
mod place;
mod poison;
mod pressure;
mod producer;
mod reach;
mod scripted;
mod stop;

use std::time::Duration;

use support::{amqp as client, rabbitmq::OneBroker};

/// How long anything may take.
const SOON: Duration = Duration::from_secs(60);
