//! Checks on the way to the database and back.

use crate::store::StoreError;

/// Says which row has no meaning.
pub(super) fn corrupt(table: &str, id: i64, error: &dyn std::error::Error) -> StoreError {
    StoreError::Corrupt(format!("{table} {id}: {error}"))
}

/// SQL takes a negative limit for none, or for an error.
pub(in crate::store) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A statement must have changed exactly so many rows.
pub(in crate::store) fn expect_rows(
    what: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), StoreError> {
    if expected == found {
        Ok(())
    } else {
        Err(StoreError::RowCount { what, expected: expected as u64, found: found as u64 })
    }
}
