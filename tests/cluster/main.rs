//! Several nodes on one PostgreSQL: killed, paused, cut off, restarted, and the server crashed under them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/postgres/mod.rs"]
mod postgres;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/proxy/mod.rs"]
mod proxy;

mod crash;
mod kill;
mod late;
mod network;
mod pause;
mod rolling;
mod site;
mod watch;
