//! Speed: how fast the threads of a share sign.

use std::time::Duration;

/// How fast a share signs while it has something to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Speed {
    /// How long one signature takes on one thread.
    pub each: Duration,
    /// How many signatures all its threads make per second.
    pub per_second: f64,
}

/// Measures the speed of a share by its last groups of signatures.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    signatures: f64,
    seconds: f64,
    threads: f64,
}

/// What is kept of the past at each group: the speed is that of about the last 64 groups.
const KEPT: f64 = 63.0 / 64.0;

impl Meter {
    /// Notes that a thread has made so many signatures in so much time, while `threads` threads were at work.
    ///
    /// When more threads are at work than before, they count at once. When there are fewer, these may be between
    /// two batches, and the number falls slowly. So the speed is rather too high than too low.
    pub fn add(&mut self, signatures: usize, took: Duration, threads: usize) {
        if !took.is_zero() {
            self.signatures = KEPT * self.signatures + signatures as f64;
            self.seconds = KEPT * self.seconds + took.as_secs_f64();
            self.threads = (KEPT * self.threads).max(threads as f64);
        }
    }

    /// The speed; `None` before it is known.
    pub fn speed(&self) -> Option<Speed> {
        (self.seconds > 0.0 && self.signatures > 0.0).then(|| Speed {
            each: Duration::from_secs_f64(self.seconds / self.signatures),
            per_second: self.threads * self.signatures / self.seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_that_of_the_last_groups_times_the_threads_at_work() {
        let (mut meter, ms) = (Meter::default(), Duration::from_millis);
        assert_eq!(meter.speed(), None);
        meter.add(8, Duration::ZERO, 1);
        assert_eq!(meter.speed(), None, "a clock that stood still measures nothing");
        meter.add(8, ms(2), 1);
        assert_eq!(meter.speed(), Some(Speed { each: ms(2) / 8, per_second: 4000.0 }));
        (0..9).for_each(|_| meter.add(8, ms(2), 2));
        assert!((meter.speed().unwrap().per_second - 8000.0).abs() < 1.0, "{meter:?}");
        meter.add(8, ms(2), 1);
        assert!(meter.speed().unwrap().per_second > 7800.0, "one thread may be between two batches");
        (0..999).for_each(|_| meter.add(1, ms(100), 1));
        let slow = meter.speed().unwrap();
        assert!((slow.per_second - 10.0).abs() < 0.1 && slow.each.abs_diff(ms(100)) < ms(1), "{slow:?}");
    }
}
