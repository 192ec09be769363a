//! An outage is told once, and once more each time it has lasted twice as long; so is its end.

use std::time::Duration;

use actix_rt::time::sleep;

use super::stop::Stop;
use crate::store::StoreError;

/// How often in a row something did not work.
#[derive(Debug, Default)]
pub struct Outage {
    failures: u32,
    since: Option<Duration>,
}

impl Outage {
    /// Notes how an attempt to do `what` ended, and logs what nobody knows yet.
    pub fn note<T>(&mut self, what: &str, result: &Result<T, StoreError>) {
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

    /// How long it has failed without a break, now that it has failed again.
    pub fn lasts(&mut self, now: Duration) -> Duration {
        now.saturating_sub(*self.since.get_or_insert(now))
    }

    /// Waits before the next attempt; whether there is to be one, for nobody asked to `stop`.
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
