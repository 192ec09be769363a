//! What clients read: records, their signatures and histories, batches and nodes.

pub mod batches;
pub mod export;
pub mod history;
pub mod nodes;
mod page;
pub mod records;
pub mod signature;
pub mod verify;
