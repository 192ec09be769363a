//! Signatures that go to a broker: a real RabbitMQ and a real NATS, which are killed, cut off and full.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arrives;
mod consumer;
mod documents;
mod kills;
mod losses;
mod nats;
mod nodes;
mod place;
mod position;
mod reach;
mod refusals;

use std::time::Duration;

/// How long anything may take.
const SOON: Duration = Duration::from_secs(60);
