//! RabbitMQ: a queue or an exchange, by AMQP 0.9.1.

mod address;
mod session;

pub use address::RabbitMq;
