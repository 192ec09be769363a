//! A store in memory, for tests: the same rules, and a clock that tests can move.

mod access;
mod batches;
mod commits;
mod feed;
mod keys;
mod leases;
mod ledger;
mod lookup;
mod nodes;
mod outlets;
mod reading;
mod records;
mod refused;
mod sessions;
mod state;
mod store;
mod webhooks;

pub use store::MemoryStore;
