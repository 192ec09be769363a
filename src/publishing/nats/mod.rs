//! NATS JetStream: a subject of a stream.

mod address;
mod session;

pub use address::Nats;
