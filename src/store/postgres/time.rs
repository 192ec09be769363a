//! Times as texts.

/// SQL for a column's time as RFC 3339 has it, in UTC, with milliseconds.
macro_rules! time {
    ($column:literal) => {
        concat!("to_char(", $column, " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
    };
}

pub(super) use time;
