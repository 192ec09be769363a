//! Real processes on a real database, killed, stopped and watched from outside.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/clock/mod.rs"]
mod clock;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/site.rs"]
mod site;

mod clock_steps;
mod copies;
mod kill;
mod names;
mod pause;
mod reading;
mod several;
mod stop;
