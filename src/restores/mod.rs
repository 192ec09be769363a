//! Layer 3, deliberate restores: what becomes of a database that was put back and lacks what its anchors know.

mod accept;
mod error;

pub use crate::{anchors::Loss, store::AcceptVerdict};
pub use accept::{Acceptance, Accepted, Plan};
pub use error::RestoreError;
