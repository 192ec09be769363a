//! SQLite: one file, one writing connection and several that read.

mod access;
mod audit;
mod audit_log;
mod barred;
mod batches;
mod claim;
mod commits;
mod connection;
mod errors;
mod feed;
mod files;
mod heads;
mod heals;
mod ids;
mod keys;
mod leases;
mod ledger;
mod limit;
mod locks;
mod look;
mod lookup;
mod migrations;
mod nodes;
mod opening;
mod outlets;
mod reading;
mod receipts;
mod records;
mod refused;
mod restores;
mod sessions;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod token_rows;
mod transaction;
mod webhooks;

pub use errors::classify_message;
pub(super) use limit::set_payload_limit;
pub(super) use migrations::{migrate, revert};
pub(super) use store::SqliteStore;
