//! What clients read: records, their signatures, bundles and histories, batches and nodes.

pub mod batches;
pub mod bundle;
pub mod history;
pub mod nodes;
pub mod records;
pub mod signature;
pub mod verify;
