//! RabbitMQ, by AMQP 0.9.1: where it is, and a connection to it.

mod connecting;
mod endpoint;

pub use connecting::{connect, said, within};
pub use endpoint::{Endpoint, check_name};
