//! The HTTP API of real processes, asked over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod edges;
mod exports;
mod keys;
mod listening;
mod records;
mod site;
mod slow;
mod verifying;
mod viewers;
