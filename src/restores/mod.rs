//! Layer 3, deliberate restores: what becomes of a database that was put back and lacks what its anchors know.
//!
//! [`Plan`] accepts the loss. [`HealPlan`] puts back what was lost, from bundles.

mod accept;
mod error;
mod heal;

pub use crate::{anchors::Loss, store::AcceptVerdict};
pub use accept::{Acceptance, Accepted, Plan};
pub use error::RestoreError;
pub use heal::{HealError, HealPlan, Healed, Lack};
