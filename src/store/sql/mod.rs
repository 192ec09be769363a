//! What both databases have in common: statements with values, and rows as domain values.

mod keys;
mod migrations;
mod reading;
mod statement;

pub(super) use keys::set_key_state;
pub(super) use migrations::known;
pub(super) use reading::{
    BatchColumns, KeyColumns, RawBatch, RawCounts, RawKey, RawNode, RawSigned, RawStoredKey, RawSum,
    SignedColumns, StoredKeyColumns, batch_row, counts, expect_rows, key_row, page, parse_runs, parse_state,
    read_pages, sql_limit, status, stored_key,
};
pub(super) use statement::{Sql, Value, bound, execute, row, rows};
