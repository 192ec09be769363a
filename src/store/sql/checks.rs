//! Checks on the way to the database and back.

use crate::store::StoreError;

/// The error for a row that cannot be understood.
pub(super) fn corrupt(table: &str, id: i64, error: &dyn std::error::Error) -> StoreError {
    StoreError::Corrupt(format!("{table} {id}: {error}"))
}

/// Never returns a negative number, which SQL treats as no limit, or as an error.
pub(in crate::store) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A JSON array of texts: one value of a statement stands for many.
pub(in crate::store) fn json_array<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}

/// Fails unless a statement changed exactly the expected number of rows.
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
