//! What `signwave verify` asks beside reading.

use super::{Feed, Ledgers};
use crate::{domain::promises::Counts, store::StoreError};

/// A database that can be checked as a whole.
pub trait Audit: Feed + Ledgers {
    /// Counts the rows one by one, and what they must add up to, all at one moment.
    fn counts(&self) -> Result<Counts, StoreError>;

    /// Checks the database itself: its integrity, and that every table, constraint, trigger and view
    /// of the schema is still in place. Each sentence is a problem.
    ///
    /// # Errors
    /// The database cannot be read. Damage that is found is no error, but a sentence in the result.
    fn audit(&self) -> Result<Vec<String>, StoreError>;
}
