//! Putting back what a database lacks, so that the same history goes on.
//!
//! A [`HealPlan`] finds the bundles of what is lost in files (`exports`), in the order of the ledger (`chain`), and makes sure
//! that all of it is there and fits (`check`). Only then it changes the database (`steps`).

mod chain;
mod check;
mod error;
mod exports;
mod plan;
mod steps;

pub use error::{HealError, Lack};
pub use plan::{HealPlan, Healed};
