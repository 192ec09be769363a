//! What only SQLite can show: its files, its guards against strangers, failures of the disk, diesel's own command line.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod faults;
mod files;
mod guards;
mod migrations;
mod plain_sql;
