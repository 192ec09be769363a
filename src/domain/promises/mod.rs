//! What is promised, as rules over what is stored: one checker for `verify`, the tests and the model.
//!
//! It is fed with facts, and names each [`Breach`] that they show. Signatures are checked by whoever
//! feeds it: cryptography is not known here. Three parts stream, so that any number of records is
//! checked in little memory:
//!
//! - [`Batches`]: the rows of all batches, each alone and beside those before it;
//! - [`Records`]: the records of one batch, or of a part of it, with their signatures;
//! - [`check_counts`] and [`Batches::check_key`]: what all of them add up to.
//!
//! A [`Moment`] is all of it at once, where it fits into memory and nobody is at work; a [`History`]
//! remembers earlier moments, and what clients were shown.

mod batches;
mod breach;
mod covered;
mod history;
mod moment;
mod records;
mod sums;
#[cfg(test)]
mod tests;

pub use batches::Batches;
pub use breach::Breach;
pub use history::History;
pub use moment::{Moment, RecordFact};
pub use records::{Checked, Invalid, Records};
pub use sums::{Counts, check_counts};
