//! Parsers of values as people write them: in flags, environment variables and the settings file.

use std::{fmt::Display, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error};

/// Reads a duration, such as `200ms`, `30s` or `2min`.
///
/// # Errors
/// Says how to write a duration. The error does not contain `text`, which may be long, or a misplaced secret.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "not a duration such as 200ms, 30s or 2min")
}

/// Reads a duration from the settings file, in the syntax of the flags.
pub(super) fn parsed_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    duration(&String::deserialize(deserializer)?).map_err(Error::custom)
}

/// Reads a value from the settings file, in the syntax of the flags.
///
/// # Errors
/// Those of the value's parser.
pub fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    String::deserialize(deserializer)?.parse().map_err(Error::custom)
}

/// Reads a value that has no default, in the syntax of the flags.
///
/// # Errors
/// Those of the value's parser.
pub fn parsed_some<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    parsed(deserializer).map(Some)
}
