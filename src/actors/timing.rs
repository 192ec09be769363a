//! Timing: a histogram of durations that threads add to without a lock.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// A histogram of durations, in buckets that double.
#[derive(Debug, Default)]
pub struct Timing {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

/// Bounded buckets, and one without a bound.
const BUCKETS: usize = 20;
/// The bound of the first bucket. The last bound is 13 seconds.
const FIRST: Duration = Duration::from_micros(50);

/// What a [`Timing`] holds at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Timings {
    /// The sum, in seconds.
    pub seconds: f64,
    /// For each bucket, its upper bound in seconds, and how many durations are in it.
    pub buckets: Vec<(f64, u64)>,
}

impl Timing {
    pub(super) fn add(&self, duration: Duration) {
        let within = |i: &usize| duration <= FIRST * (1 << i);
        let bucket = (0..BUCKETS - 1).find(within).unwrap_or(BUCKETS - 1);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.nanos.fetch_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// What it holds now.
    pub fn read(&self) -> Timings {
        let bound = |i: usize| if i < BUCKETS - 1 { (FIRST * (1 << i)).as_secs_f64() } else { f64::INFINITY };
        let buckets = self.counts.iter().enumerate().map(|(i, count)| (bound(i), count.load(Relaxed)));
        Timings {
            seconds: Duration::from_nanos(self.nanos.load(Relaxed)).as_secs_f64(),
            buckets: buckets.collect(),
        }
    }
}

impl Timings {
    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_first_bucket_that_holds_it() {
        let timing = Timing::default();
        for micros in [0, 50, 51, 100, 3_600_000_000] {
            timing.add(Duration::from_micros(micros));
        }
        let timings = timing.read();
        let counts: Vec<_> = timings.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!((counts[0], counts[1], counts[BUCKETS - 1], timings.count()), (2, 2, 1, 5));
        assert_eq!((timings.buckets[1].0, timings.buckets[BUCKETS - 1].0), (0.0001, f64::INFINITY));
        assert!((timings.seconds - 3_600.000_201).abs() < 1e-6);
    }
}
