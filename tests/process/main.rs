//! Real processes on a real database, killed, stopped and watched from outside.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod clock_steps;
mod copies;
mod kill;
mod names;
mod pause;
mod reading;
mod rotate_master;
mod several;
mod stop;
