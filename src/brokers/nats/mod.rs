//! NATS JetStream: where it is, a connection to it, and a stream that can be relied on.

mod connecting;
mod endpoint;
mod stream;

pub use connecting::{Line, connect, said};
pub use endpoint::{Endpoint, check_name, check_subject};
pub use stream::durable_stream;
