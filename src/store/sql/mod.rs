//! What both databases have in common: statements with values, and rows as domain values.

mod migrations;
mod reading;
mod statement;

pub(super) use migrations::known;
pub(super) use reading::{
    BatchColumns, KeyColumns, RawBatch, RawCounts, RawKey, RawNode, RawSigned, RawStoredKey, RawSum,
    SignedColumns, batch_row, corrupt, counts, expect_rows, key_row, parse_runs, parse_state, sql_limit,
    status, stored_key, visit_signed,
};
pub(super) use statement::{Sql, Value, bound, execute, row, rows};
