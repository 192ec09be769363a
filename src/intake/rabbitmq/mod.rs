//! RabbitMQ: a queue, by AMQP 0.9.1.

mod address;
mod session;

pub use address::RabbitMq;
