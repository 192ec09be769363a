//! The tests, by topic. Each is a function of a [`World`](crate::support::worlds::World).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod batches;
pub mod commits;
pub mod keys;
pub mod leases;
pub mod nodes;
pub mod records;
pub mod together;
