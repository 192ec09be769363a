//! Records from Kafka, and signatures to Kafka: with librdkafka's mock cluster, which runs in the process of the tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod place;
mod publishing;
mod reader;
mod taking;

use std::time::Duration;

/// How long anything may take.
const SOON: Duration = Duration::from_secs(60);
