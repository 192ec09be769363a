//! Kafka: a topic, read by a consumer group.

mod address;
mod session;

pub use address::Kafka;
