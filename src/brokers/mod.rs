//! Layer 3, the brokers: what the intake and the publishers have in common, which is how a broker is reached.

mod address;
mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod nats;
pub mod rabbitmq;

pub use address::{BadAddress, Query, decoded, escaped, host_and_port, written};
pub use error::BrokerError;
