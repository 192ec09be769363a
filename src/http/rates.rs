//! Rates: how many requests a client may send. A client that sends more gets 429, whatever the load of the service.

use std::{net::IpAddr, num::NonZeroU32};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};

use super::problem::{Kind, Problem};
use crate::domain::TokenId;

/// How many requests a second each token may send.
const PER_TOKEN: NonZeroU32 = NonZeroU32::new(20_000).expect("it is not zero");
/// How many unknown tokens a second each address may send: each is a look into the database.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(100).expect("it is not zero");
/// How many sessions a minute may be made with each token: each is a row of the database.
const SESSIONS: NonZeroU32 = NonZeroU32::new(60).expect("it is not zero");
/// How many addresses are remembered at most.
const ADDRESSES: usize = 10_000;

/// The rates of all clients, by the generic cell rate algorithm.
pub struct Rates {
    tokens: DefaultKeyedRateLimiter<TokenId>,
    addresses: DefaultKeyedRateLimiter<Option<IpAddr>>,
    sessions: DefaultKeyedRateLimiter<TokenId>,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            tokens: RateLimiter::keyed(Quota::per_second(PER_TOKEN)),
            addresses: RateLimiter::keyed(Quota::per_second(PER_ADDRESS)),
            sessions: RateLimiter::keyed(Quota::per_minute(SESSIONS)),
        }
    }
}

impl Rates {
    /// Counts a request of a token.
    ///
    /// # Errors
    /// [`Kind::TooManyRequests`] when the token sends too many.
    pub fn of_token(&self, token: TokenId) -> Result<(), Problem> {
        check(&self.tokens, &token)
    }

    /// Counts a session that is made with a token.
    ///
    /// # Errors
    /// [`Kind::TooManyRequests`] when too many are made with it.
    pub fn of_session(&self, token: TokenId) -> Result<(), Problem> {
        check(&self.sessions, &token)
    }

    /// Counts a token that must be looked up, from `address`. Addresses are forgotten when they are too many.
    ///
    /// # Errors
    /// [`Kind::TooManyRequests`] when the address sends too many.
    pub fn of_unknown(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        if self.addresses.len() > ADDRESSES {
            self.addresses.retain_recent();
        }
        check(&self.addresses, &address)
    }
}

fn check<K: std::hash::Hash + Eq + Clone>(
    rates: &DefaultKeyedRateLimiter<K>,
    key: &K,
) -> Result<(), Problem> {
    rates.check_key(key).map_err(|until| {
        let wait = until.wait_time_from(DefaultClock::default().now());
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        Problem::new(Kind::TooManyRequests).retry_after(seconds)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_sends_many_unknown_tokens_is_told_to_wait_and_others_are_not() {
        let rates = Rates::default();
        let (one, other) = (Some([127, 0, 0, 1].into()), Some([127, 0, 0, 2].into()));
        let refused = (0..1000).find_map(|_| rates.of_unknown(one).err()).unwrap();
        assert_eq!((refused.kind, refused.retry_after), (Kind::TooManyRequests, Some(1)));
        assert_eq!(rates.of_unknown(other), Ok(()));
    }
}
