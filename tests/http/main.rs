//! The HTTP API of real processes, asked over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod bulk;
mod client;
mod crowd;
mod edges;
mod exports;
mod keys;
mod kill;
mod listening;
mod place;
mod records;
mod site;
mod slow;
mod stop;
mod submit;
mod verifying;
mod viewers;
