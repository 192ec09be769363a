//! NATS JetStream: a durable consumer of a stream, which is pulled.

mod address;
mod session;

pub use address::Nats;
