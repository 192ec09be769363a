//! A time of day, as RFC 3339 writes it in UTC.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use humantime::{format_rfc3339_millis, parse_rfc3339};

/// A time in UTC, to the millisecond, from 1970 to 9999. Its text is that of every time in the database, such as
/// `2026-11-22T12:00:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// Text that is no [`Time`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time in UTC such as 2027-01-31T12:00:00Z")]
pub struct TimeError;

impl Time {
    /// The time so many milliseconds after 1970 began.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(self.0)).fmt(f)
    }
}

impl FromStr for Time {
    type Err = TimeError;

    /// What is finer than a millisecond is cut off.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok()?.as_millis().try_into().ok();
        parse_rfc3339(text).ok().and_then(since).map(Self).ok_or(TimeError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_milliseconds_and_read_back() {
        for (text, written) in [
            ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00.000Z"),
            ("2027-01-31T12:00:00.5Z", "2027-01-31T12:00:00.500Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999Z"),
        ] {
            let time: Time = text.parse().unwrap();
            assert_eq!(time.to_string(), written);
            assert_eq!(written.parse(), Ok(time));
        }
        for text in [
            "",
            "tomorrow",
            "2027-01-31",
            "2027-01-31 12:00:00",
            "2027-01-31T12:00:00+01:00",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(text.parse::<Time>(), Err(TimeError), "{text}");
        }
    }
}
