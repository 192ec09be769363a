//! PostgreSQL: one server, any number of nodes.

mod access;
mod array;
mod audit;
mod audit_log;
mod batches;
mod commits;
mod connection;
mod errors;
mod expected;
mod gaps;
mod holders;
mod keys;
mod leases;
mod limit;
mod listener;
mod lookup;
mod migrations;
mod nodes;
mod pool;
mod reading;
mod records;
mod rejection;
mod session;
mod startup;
mod status;
mod store;
mod tables;
mod transaction;

pub use errors::classify_message;
pub(super) use limit::set_payload_limit;
pub(super) use migrations::{migrate, revert};
pub(super) use store::PostgresStore;
