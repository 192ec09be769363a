//! The promises, as rules over the stored rows. `verify`, the tests and the model share this checker.
//!
//! Callers feed the checker with facts, and it returns each [`Breach`] that they show. Callers must verify the
//! signatures, because this module knows nothing of cryptography. Five parts stream, so that any number of
//! records is checked in little memory:
//!
//! - [`Batches`]: the rows of all batches, each alone and together with the rows before it;
//! - [`Records`]: the records of one batch, or of a part of it, with their signatures;
//! - [`Feed`]: the positions of signed batches;
//! - [`Ledger`]: their receipts;
//! - [`check_counts`] and [`Batches::check_key`]: the sums over all rows.
//!
//! A [`Moment`] checks all rows at once, if they fit into memory and no process is at work. A [`History`]
//! remembers the last moment, and the signatures that clients were shown.

mod batches;
mod breach;
mod covered;
mod feed;
mod history;
mod ledger;
mod moment;
mod promise;
mod records;
mod sums;
#[cfg(test)]
mod tests;

pub use batches::Batches;
pub use breach::Breach;
pub use feed::Feed;
pub use history::History;
pub use ledger::{Ledger, ReceiptFact};
pub use moment::{Moment, RecordFact};
pub use records::{Checked, Invalid, Records};
pub use sums::{Counts, KeyFact, check_counts};
