//! Outages: logs the first failure, then each time the number of failures has doubled, and the end of the outage.

use std::{fmt::Display, time::Duration};

use actix_rt::time::sleep;

use super::stop::Stop;

/// Counts failures in a row.
#[derive(Debug, Default)]
pub struct Outage {
    failures: u32,
    since: Option<Duration>,
}

impl Outage {
    /// Notes the result of an attempt to do `what`, and logs what has not been logged yet.
    pub fn note<T, E: Display>(&mut self, what: &str, result: &Result<T, E>) {
        match result {
            Ok(_) => {
                if self.failures > 0 {
                    log::info!("can {what} again, after {} failures", self.failures);
                }
                *self = Self::default();
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures.is_power_of_two() {
                    log::warn!("cannot {what} yet: {error}");
                }
            }
        }
    }

    /// How long the attempts have failed without a break. To be called after a failure.
    pub fn lasts(&mut self, now: Duration) -> Duration {
        now.saturating_sub(*self.since.get_or_insert(now))
    }

    /// Waits before the next attempt. Returns `false` if a stop was requested, so that there must be no next attempt.
    pub async fn wait(&self, stop: &Stop) -> bool {
        tokio::select! {
            () = sleep(self.pause()) => true,
            () = stop.requested(1) => false,
        }
    }

    /// How long to wait before the next attempt: twice as long each time, up to a second.
    pub fn pause(&self) -> Duration {
        Duration::from_millis(10 << self.failures.min(7)).min(Duration::from_secs(1))
    }
}
