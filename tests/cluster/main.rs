//! Several nodes on one PostgreSQL: killed, paused, cut off, restarted, the server crashed under them and its clock set.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod clock_steps;
mod crash;
mod kill;
mod late;
mod network;
mod pause;
mod rolling;
mod rotate_master;
mod site;
mod start;
mod stop;
mod watch;
