//! Webhooks: whom the service tells of new signatures.

mod body;
pub mod change;
pub mod list;
