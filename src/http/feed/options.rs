//! What a client asks of the feed.

use std::{str::FromStr, time::Duration};

use actix_web::HttpRequest;
use serde::Deserialize;
use utoipa::IntoParams;

use super::form::Form;
use crate::{
    domain::{Position, PositionError},
    http::{
        problem::{Kind, Problem},
        query::parsed,
    },
};

/// Where to begin, how much to send, and how long to wait.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// Whether to add the payloads.
    #[serde(default)]
    with_payload: bool,
    /// The position of the last row that the client has; 0, which is usual, is the start of the feed.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, pattern = "^(0|[0-9a-f]{12}[.](0|[1-9][0-9]{0,17})([.][1-9][0-9]{0,4})?)$")]
    after: Option<After>,
    /// How many rows at most: 1 to 10000. Usually all; as a CloudEvents batch 1000.
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<usize>,
    /// How long to wait if there is no row yet, in seconds: 0s to 60s, usually 0s.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, pattern = "^(0|[1-5]?[0-9]|60)s$")]
    wait: Option<Wait>,
    /// As HTTP Feeds has it: the same as `after`, which counts if both are sent.
    #[serde(default, rename = "lastEventId", deserialize_with = "parsed")]
    #[param(value_type = Option<String>, pattern = "^(0|[0-9a-f]{12}[.](0|[1-9][0-9]{0,17})([.][1-9][0-9]{0,4})?)$")]
    last_event_id: Option<After>,
    /// As HTTP Feeds has it: the same as `wait`, in milliseconds. `wait` counts if both are sent.
    #[param(minimum = 0, maximum = 60000)]
    timeout: Option<u64>,
}

/// A position, or 0 for the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct After(Option<Position>);

impl FromStr for After {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        if text == "0" { Ok(Self(None)) } else { text.parse().map(|position| Self(Some(position))) }
    }
}

/// A time such as `30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wait(Duration);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

impl FromStr for Wait {
    type Err = NoWait;

    fn from_str(text: &str) -> Result<Self, NoWait> {
        let digits = text.strip_suffix('s').ok_or(NoWait)?;
        let is_plain =
            digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        let seconds = digits.parse().ok().filter(|_| is_plain).ok_or(NoWait)?;
        Some(Duration::from_secs(seconds)).filter(|wait| *wait <= LONGEST).map(Self).ok_or(NoWait)
    }
}

/// A text that is no time to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a wait is 0s to 60s")]
struct NoWait;

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How it is written.
    pub form: Form,
    /// Behind what; `None` is the start.
    pub after: Option<Position>,
    /// How many rows at most.
    pub limit: Option<usize>,
    /// How long to wait for the first row.
    pub wait: Duration,
    /// Whether to add the payloads.
    pub with_payload: bool,
}

/// The most rows of an answer with a limit.
const MOST: usize = 10_000;

impl Options {
    /// What is to be sent in `form`, behind `seen` if the client says so by a header.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when a number is out of its range.
    pub fn wanted(self, form: Form, seen: Option<Position>) -> Result<Wanted, Problem> {
        let invalid = |detail: &'static str| Problem::because(Kind::InvalidRequest, detail);
        let wait = self.wait.map_or(Duration::from_millis(self.timeout.unwrap_or(0)), |wait| wait.0);
        if wait > LONGEST {
            return Err(invalid("The longest wait is 60 seconds."));
        }
        if self.limit.is_some_and(|limit| !(1..=MOST).contains(&limit)) {
            return Err(invalid("The limit is 1 to 10000."));
        }
        let usual = (form == Form::CloudEvents).then_some(1000);
        let after = self.after.or(self.last_event_id).and_then(|after| after.0);
        let (after, limit, with_payload) = (seen.or(after), self.limit.or(usual), self.with_payload);
        Ok(Wanted { form, after, limit, wait, with_payload })
    }
}

/// The position that a client of Server-Sent Events saw last.
///
/// # Errors
/// [`Kind::InvalidRequest`] when the header is not a position.
pub fn last_event_id(request: &HttpRequest, form: Form) -> Result<Option<Position>, Problem> {
    let header = request.headers().get("last-event-id").filter(|_| form == Form::Events);
    let Some(header) = header.filter(|header| !header.is_empty()) else { return Ok(None) };
    let position = header.to_str().ok().and_then(|text| text.parse().ok());
    position
        .map(Some)
        .ok_or(Problem::because(Kind::InvalidRequest, "The header Last-Event-ID is not a position."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_whole_seconds_up_to_a_minute() {
        for (text, seconds) in [("0s", 0), ("1s", 1), ("30s", 30), ("60s", 60)] {
            assert_eq!(text.parse(), Ok(Wait(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "s", "30", "61s", "01s", "-1s", "+1s", "1.5s", "1 s", "1m", "99999999999999999999s"]
        {
            assert_eq!(text.parse::<Wait>(), Err(NoWait), "{text}");
        }
    }
}
