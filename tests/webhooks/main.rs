//! Webhooks: real services, and receivers that answer well, badly, late or not at all.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod inside;
mod kills;
mod libraries;
mod nodes;
mod outage;
mod place;
mod receiver;
mod tls;
mod watched;

use std::time::Duration;

/// How long anything may take.
const SOON: Duration = Duration::from_secs(60);
