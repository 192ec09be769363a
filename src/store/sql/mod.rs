//! What both databases have in common: statements with values, and rows as domain values.

mod reading;
mod statement;

pub(super) use reading::{BatchColumns, SignedColumns, expect_rows};
pub(super) use reading::{
    KeyColumns, RawBatch, RawKey, RawSigned, batch_row, corrupt, key_row, parse_runs, parse_state, sql_limit,
    visit_signed,
};
pub(super) use statement::{Sql, Value, bound, execute, row, rows};
