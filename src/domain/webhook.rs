//! Webhooks: their names, their states, and when a delivery that failed is tried again.

use std::{fmt, str::FromStr, time::Duration};

/// The name of a webhook: 1 to 64 characters `a` to `z`, `0` to `9` and `-`, beginning with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookName(String);

impl WebhookName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its outlet.
    pub fn outlet(&self) -> String {
        format!("webhook:{}", self.0)
    }
}

impl fmt::Display for WebhookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for WebhookName {
    type Err = WebhookNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let begins = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        if begins && text.len() <= 64 && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(WebhookNameError)
        }
    }
}

/// Text that is no name of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a webhook has 1 to 64 characters a to z, 0 to 9 and '-', and begins with a letter")]
pub struct WebhookNameError;

/// Whether messages are sent to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookState {
    /// They are.
    Enabled,
    /// They are not, until a person enables it again: its server said so, or could not be reached for days.
    Disabled,
}

impl WebhookState {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }
}

impl FromStr for WebhookState {
    type Err = UnknownWebhookState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = [Self::Enabled, Self::Disabled].into_iter().find(|state| state.name() == text);
        found.ok_or_else(|| UnknownWebhookState(text.to_owned()))
    }
}

/// Text that names no state of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no state of a webhook")]
pub struct UnknownWebhookState(pub String);

/// What a failed delivery means for a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// It is tried again after this time.
    RetryIn(Duration),
    /// It was tried often enough.
    GiveUp,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// How long to wait after the first failure in a row, after the second, and so on, in seconds: the schedule that Standard
/// Webhooks 1.0.0 recommends. It takes a little more than three days.
const PAUSES: [u64; 9] =
    [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

/// The longest wait that a server can ask for.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * HOUR);

impl AfterFailure {
    /// What a failure means after so many failures in a row, itself included. `jitter` from 0 to 1 lengthens the pause by up
    /// to a tenth, so that endpoints of one server do not all come back at once. The pause is no shorter than what the
    /// server asked for, if it asked for [`LONGEST_RETRY_AFTER`] at most.
    pub fn of(failures: u64, jitter: f64, asked: Option<Duration>) -> Self {
        let nth = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(seconds) = PAUSES.get(nth) else { return Self::GiveUp };
        let pause = Duration::from_secs(*seconds).mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 10.0);
        Self::RetryIn(asked.map_or(pause, |asked| asked.min(LONGEST_RETRY_AFTER).max(pause)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_take_three_days_and_then_it_is_given_up() {
        let pauses: Vec<_> = (1..=10).map(|failures| AfterFailure::of(failures, 0.0, None)).collect();
        let total: u64 = pauses
            .iter()
            .map(|after| match after {
                AfterFailure::RetryIn(pause) => pause.as_secs(),
                AfterFailure::GiveUp => 0,
            })
            .sum();
        assert_eq!(pauses[0], AfterFailure::RetryIn(Duration::from_secs(5)));
        assert_eq!(pauses.iter().position(|after| *after == AfterFailure::GiveUp), Some(9));
        assert!((3 * 24 * HOUR..4 * 24 * HOUR).contains(&total), "{total} s");
        assert_eq!(AfterFailure::of(u64::MAX, 0.0, None), AfterFailure::GiveUp);
    }

    #[test]
    fn a_server_may_ask_for_more_time_within_a_day_but_not_for_less() {
        let of = |asked| AfterFailure::of(2, 0.0, Some(Duration::from_secs(asked)));
        let retry = |seconds| AfterFailure::RetryIn(Duration::from_secs(seconds));
        assert_eq!((of(0), of(299), of(301)), (retry(300), retry(300), retry(301)));
        assert_eq!(of(1 << 40), AfterFailure::RetryIn(LONGEST_RETRY_AFTER));
        assert_eq!(AfterFailure::of(2, 1.0, None), retry(330));
    }

    #[test]
    fn a_name_is_what_a_shell_and_an_address_leave_alone() {
        for name in ["a", "billing-2", &"x".repeat(64)] {
            assert_eq!(name.parse::<WebhookName>().unwrap().as_str(), name);
        }
        for name in ["", "-a", "1a", "A", "a b", "a/b", "a.b", "é", &"x".repeat(65)] {
            assert_eq!(name.parse::<WebhookName>(), Err(WebhookNameError), "{name}");
        }
    }
}
