//! What a server answered, and what that means.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use hyper::{
    HeaderMap, StatusCode,
    header::{HeaderValue, RETRY_AFTER},
};

use super::send_error::SendError;
use crate::{
    domain::{AfterFailure, Place},
    store::{Settlement, WebhookRow},
};

/// What a server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    status: StatusCode,
    /// After what time the server wants to be asked again.
    retry_after: Option<Duration>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Self {
        let is_busy = matches!(status.as_u16(), 429 | 502 | 503 | 504);
        let retry_after = headers.get(RETRY_AFTER).filter(|_| is_busy);
        Self { status, retry_after: retry_after.and_then(|value| wait(value, now)) }
    }

    /// Whether the message was accepted.
    pub fn is_success(self) -> bool {
        self.status.is_success()
    }

    /// The status.
    pub fn status(self) -> u16 {
        self.status.as_u16()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.as_u16().fmt(f)?;
        self.status.canonical_reason().map_or(Ok(()), |reason| write!(f, " {reason}"))
    }
}

/// Reads a number of seconds or a date (RFC 9110, section 10.2.3).
fn wait(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// What becomes of a webhook that had `failures` in a row when the message for `newest` was sent.
pub(super) fn settlement(
    result: &Result<Answer, SendError>,
    newest: Place,
    failures: u64,
    jitter: f64,
) -> Settlement {
    let (reason, asked) = match result {
        Ok(answer) if answer.is_success() => return Settlement::Delivered(newest),
        Ok(answer) if answer.status == StatusCode::GONE => {
            return Settlement::Disabled { reason: format!("the server answered {answer}") };
        }
        Ok(answer) if answer.status.is_redirection() => {
            (format!("the server answered {answer}, and redirects are not followed"), None)
        }
        Ok(answer) => (format!("the server answered {answer}"), answer.retry_after),
        Err(error) => (error.to_string(), None),
    };
    match AfterFailure::of(failures.saturating_add(1), jitter, asked) {
        AfterFailure::RetryIn(retry_in) => Settlement::Failed { reason: cut(reason), retry_in },
        AfterFailure::GiveUp => {
            let reason = format!("{} messages in a row failed, the last because {reason}", failures + 1);
            Settlement::Disabled { reason: cut(reason) }
        }
    }
}

/// The longest reason that is stored.
fn cut(mut reason: String) -> String {
    while reason.len() > WebhookRow::LONGEST_REASON {
        reason.pop();
    }
    reason
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        let mut headers = HeaderMap::new();
        retry_after.into_iter().for_each(|text| _ = headers.insert(RETRY_AFTER, text.parse().unwrap()));
        Answer::new(StatusCode::from_u16(status).unwrap(), &headers, UNIX_EPOCH)
    }

    fn settled(status: u16, retry_after: Option<&str>, failures: u64) -> Settlement {
        settlement(&Ok(answer(status, retry_after)), Place(9), failures, 0.0)
    }

    fn retry(reason: &str, seconds: u64) -> Settlement {
        Settlement::Failed { reason: reason.to_owned(), retry_in: Duration::from_secs(seconds) }
    }

    #[test]
    fn each_status_means_what_the_specification_says() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(settled(status, None, 3), Settlement::Delivered(Place(9)));
        }
        let gone = Settlement::Disabled { reason: "the server answered 410 Gone".to_owned() };
        assert_eq!(settled(410, Some("60"), 0), gone);
        let moved = "the server answered 302 Found, and redirects are not followed";
        assert_eq!(settled(302, None, 0), retry(moved, 5));
        assert_eq!(settled(404, None, 1), retry("the server answered 404 Not Found", 300));
        assert_eq!(settled(500, Some("900"), 0), retry("the server answered 500 Internal Server Error", 5));
    }

    #[test]
    fn a_busy_server_says_when_to_come_back() {
        for status in [429, 502, 503, 504] {
            let Settlement::Failed { retry_in, .. } = settled(status, Some("900"), 0) else { panic!() };
            assert_eq!(retry_in, Duration::from_secs(900), "{status}");
        }
        let after = |text| match settled(503, Some(text), 0) {
            Settlement::Failed { retry_in, .. } => retry_in.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(after("Thu, 01 Jan 1970 00:10:00 GMT"), 600);
        assert_eq!((after("0"), after("-1"), after("soon"), after("")), (5, 5, 5, 5));
        assert_eq!((after("99999999"), after("99999999999999999999999")), (86_400, 5));
    }

    #[test]
    fn after_the_tenth_failure_the_webhook_is_disabled_with_the_reason() {
        let Settlement::Disabled { reason } = settled(500, None, 9) else { panic!() };
        assert_eq!(
            reason,
            "10 messages in a row failed, the last because the server answered 500 Internal Server Error"
        );
        let error = Err(SendError::Broken("\u{e9}".repeat(600)));
        let Settlement::Failed { reason, .. } = settlement(&error, Place(1), 0, 0.0) else { panic!() };
        assert!(reason.len() <= WebhookRow::LONGEST_REASON && reason.len() > WebhookRow::LONGEST_REASON - 4);
    }
}
