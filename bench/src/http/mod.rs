//! The HTTP API: a service that runs as a process, and clients over real sockets.

mod client;
mod service;
mod submit;

pub use submit::submit;
