//! The HTTP API of real processes, asked over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod edges;
mod listening;
mod slow;
