//! The HTTP API of real processes, asked over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod bulk;
mod client;
mod crowd;
mod dashboard;
mod edges;
mod entrance;
mod exports;
mod feed;
mod history;
mod keys;
mod kill;
mod ledger;
mod listening;
mod mtls;
mod place;
mod records;
mod sessions;
mod site;
mod slow;
mod stop;
mod submit;
mod verifying;
mod viewers;
mod webhooks;
