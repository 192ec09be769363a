//! Layer 2, the databases: one small door, [`Store`], and what stands behind it. Diesel is used
//! here and nowhere else; the names of cryptography are not known here.

mod door;
mod error;

pub use door::{
    AddKeyVerdict, BatchRow, Counts, KeyRow, KeyStateVerdict, NewKey, NewRecord, NodeRow, OpenBatches,
    OpenedBatches, Reclaimed, RenewVerdict, SignedRow, Status, Store, StoredKey,
};
pub use error::StoreError;
