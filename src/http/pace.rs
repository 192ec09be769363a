//! Pace: how fast a client sends its body, or takes its answer. A client that is slow on purpose would hold a place
//! for as long as it likes, with a byte now and then.

use std::time::Duration;

/// The slowest pace, in bytes a second.
const SLOWEST: f64 = 1024.0;
/// After so many bytes the past is forgotten, so that a client cannot be slow after it was fast.
const MEMORY: usize = 256 << 10;

/// The bytes of a client, and how long we waited for it.
#[derive(Debug, Default)]
pub struct Pace {
    waited: Duration,
    bytes: usize,
}

impl Pace {
    /// Notes that we waited for so long, and then `bytes` bytes went through. Returns whether the client is too slow:
    /// it has made us wait for longer than `grace`, at less than a kibibyte a second.
    pub fn is_too_slow_after(&mut self, waited: Duration, bytes: usize, grace: Duration) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited > grace && (self.bytes as f64) < SLOWEST * self.waited.as_secs_f64() {
            return true;
        }
        if self.bytes >= MEMORY {
            *self = Self::default();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[test]
    fn only_a_client_that_makes_us_wait_is_slow() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::default();
        assert!((0..1000).all(|_| !pace.is_too_slow_after(Duration::ZERO, 1, GRACE)), "we did not wait");
        let mut pace = Pace::default();
        assert!((0..1000).all(|_| !pace.is_too_slow_after(second, 1024, GRACE)));
        let mut pace = Pace::default();
        let cut = (1..).find(|_| pace.is_too_slow_after(second, 100, GRACE));
        assert_eq!(cut, Some(11), "after the grace");
    }

    #[test]
    fn a_client_cannot_be_slow_after_it_was_fast() {
        let mut pace = Pace::default();
        assert!(!pace.is_too_slow_after(Duration::from_millis(1), 100 << 20, GRACE));
        let cut = (1..).find(|_| pace.is_too_slow_after(Duration::from_secs(1), 1, GRACE));
        assert_eq!(cut, Some(11));
    }
}
