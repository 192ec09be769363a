//! Layer 3, the brokers: what the intake and the publishers have in common, which is how a broker is reached.

mod address;
mod error;
pub mod rabbitmq;

pub use address::{BadAddress, Query, decoded};
pub use error::BrokerError;
