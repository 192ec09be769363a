//! How long a token, or the token before a rotation, can be used.

use std::time::Duration;

/// The time that a token has unless another is given.
pub const DEFAULT_LIFE: &str = "90d";
/// How long the token before a rotation can still be used unless another time is given.
pub const DEFAULT_OVERLAP: &str = "24h";

const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);

/// How long a token can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until it is revoked.
    Endless,
    /// For this long.
    For(Duration),
}

impl Life {
    /// `None` if it has no end.
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::Endless => None,
            Self::For(time) => Some(time),
        }
    }
}

/// Reads `never`, or a duration from a second to ten years.
///
/// # Errors
/// Says how to write it.
pub fn life(text: &str) -> Result<Life, &'static str> {
    if text == "never" {
        return Ok(Life::Endless);
    }
    match humantime::parse_duration(text) {
        Ok(time) if (Duration::from_secs(1)..=TEN_YEARS).contains(&time) => Ok(Life::For(time)),
        Ok(_) => Err("from a second to ten years, or 'never'"),
        Err(_) => Err("a duration such as 12h, 90d or 1y, or 'never'"),
    }
}

/// Reads a duration up to ten years.
///
/// # Errors
/// Says how to write it.
pub fn overlap(text: &str) -> Result<Duration, &'static str> {
    match humantime::parse_duration(text) {
        Ok(time) if time <= TEN_YEARS => Ok(time),
        Ok(_) => Err("at most ten years"),
        Err(_) => Err("a duration such as 15min, 24h or 0s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_duration_or_endless() {
        let days = |days: u64| Ok(Life::For(Duration::from_secs(days * 86_400)));
        assert_eq!(life(DEFAULT_LIFE), days(90));
        assert_eq!(life("1week"), days(7));
        assert_eq!(life("never"), Ok(Life::Endless));
        for bad in ["", "0s", "999ms", "11y", "90", "Never", "-1d"] {
            assert!(life(bad).is_err(), "{bad}");
        }
        assert_eq!(overlap("0s"), Ok(Duration::ZERO));
        assert!(overlap("11y").is_err() && overlap("never").is_err());
    }
}
