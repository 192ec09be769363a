//! Attempts to sign in: an address that fails often must wait.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::http::problem::{Kind, Problem};

/// How many attempts of an address may fail within [`WINDOW`].
const FAILURES: u32 = 10;
/// From the first failure until all are forgotten.
const WINDOW: Duration = Duration::from_secs(60);
/// How many addresses are remembered before old ones are looked for.
const ADDRESSES: usize = 10_000;

/// The failures of each address. One that has none is not remembered.
#[derive(Default)]
pub struct Attempts(Mutex<HashMap<Option<IpAddr>, Failures>>);

struct Failures {
    since: Instant,
    count: u32,
}

impl Attempts {
    /// Allows an attempt, unless too many have failed.
    ///
    /// # Errors
    /// [`Kind::TooManyRequests`], with the time until the failures are forgotten.
    pub fn allow(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        let failures = self.lock();
        let left = failures.get(&address).filter(|failures| failures.count >= FAILURES);
        let left = left.map_or(Duration::ZERO, |failures| WINDOW.saturating_sub(failures.since.elapsed()));
        if left.is_zero() {
            return Ok(());
        }
        let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        Err(Problem::new(Kind::TooManyRequests).retry_after(seconds))
    }

    /// Notes a failure.
    pub fn failed(&self, address: Option<IpAddr>) {
        let mut all = self.lock();
        if all.len() >= ADDRESSES {
            all.retain(|_, failures| failures.since.elapsed() < WINDOW);
        }
        let failures = all.entry(address).or_insert(Failures { since: Instant::now(), count: 0 });
        if failures.since.elapsed() >= WINDOW {
            *failures = Failures { since: Instant::now(), count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_ten_failures_an_address_waits_for_a_minute_and_others_do_not() {
        let attempts = Attempts::default();
        let (one, other) = (Some([127, 0, 0, 1].into()), Some([127, 0, 0, 2].into()));
        for _ in 0..FAILURES {
            assert_eq!(attempts.allow(one), Ok(()));
            attempts.failed(one);
        }
        let refused = attempts.allow(one).unwrap_err();
        assert_eq!((refused.kind, refused.retry_after), (Kind::TooManyRequests, Some(61)));
        assert_eq!((attempts.allow(other), attempts.allow(None)), (Ok(()), Ok(())));
        tokio::time::advance(WINDOW).await;
        assert_eq!(attempts.allow(one), Ok(()));
        attempts.failed(one);
        assert_eq!(attempts.allow(one), Ok(()), "the old failures are forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn the_addresses_of_the_last_minute_are_remembered_only() {
        let attempts = Attempts::default();
        for number in 0..ADDRESSES as u32 {
            attempts.failed(Some(std::net::Ipv4Addr::from(number).into()));
        }
        tokio::time::advance(WINDOW).await;
        attempts.failed(None);
        assert_eq!(attempts.lock().len(), 1);
    }
}
