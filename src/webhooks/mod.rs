//! Layer 3, webhooks: tells other systems over HTTP that new signatures are in the feed, as Standard Webhooks 1.0.0 has it.
//!
//! ```text
//!  commit, or a second ──▶ due webhooks ──▶ claim ──▶ message, signed ──▶ POST ──▶ settle (position, or when to retry)
//! ```
//!
//! A message says how far the feed is, and no more: the receiver reads the feed. So one message stands for all before it,
//! and each webhook has at most one under way. `service` is the loop, `delivery` one turn of it, `client` one request.

mod answer;
mod client;
mod counters;
mod delivery;
mod endpoint;
mod internal;
mod links;
mod message;
mod send_error;
mod sending;
mod service;
mod trial;

pub use answer::Answer;
pub use client::Client;
pub use counters::Counters;
pub use endpoint::{Endpoint, EndpointError};
pub use send_error::SendError;
pub use sending::Sending;
pub use trial::{OVERLAP, try_out};
