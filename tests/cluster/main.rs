//! Several nodes on one PostgreSQL: killed, paused, cut off, restarted, the server crashed under them and its clock set.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/clock/mod.rs"]
mod clock;
#[path = "../support/postgres/mod.rs"]
mod postgres;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/proxy/mod.rs"]
mod proxy;

mod clock_steps;
mod crash;
mod kill;
mod late;
mod network;
mod pause;
mod rolling;
mod site;
mod start;
mod stop;
mod watch;
