//! Kafka: the first partition of a topic.

mod address;
mod session;

pub use address::Kafka;
