//! A store in memory, for tests: the same rules, and a clock that tests can move.

mod access;
mod batches;
mod commits;
mod keys;
mod leases;
mod lookup;
mod nodes;
mod reading;
mod records;
mod state;
mod store;

pub use store::MemoryStore;
