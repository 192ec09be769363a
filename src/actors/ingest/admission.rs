//! Admission: with how large a backlog a share takes a batch.

use std::time::Duration;

use crate::actors::speed::Speed;

/// How long one signature of a custodian is believed to take before its first one: that of a slow smart card.
const PRESUMED: Duration = Duration::from_millis(100);

/// So much longer than it is believed to, a batch may take.
const MARGIN: f64 = 1.1;

/// Where a batch takes less time than that, the next one of each thread is leased ahead, so that none waits for the
/// database.
const SHORT: Duration = Duration::from_secs(1);

/// The rule for a share whose threads wait for a custodian. The share takes a batch only if this batch ends no later
/// than the other shares would have signed the whole backlog without it. So neither their rate suffers nor the end,
/// however slow the custodian is: near the end of a backlog a slow one takes nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    /// How many batches the custodian signs at a time.
    pub threads: usize,
    /// How fast it signs, once that is known.
    pub speed: Option<Speed>,
    /// How many records of a batch are to be signed.
    pub batch_size: usize,
}

/// How fast the other shares of the node work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Others {
    /// None of their keys may sign.
    Absent,
    /// They sign, and it is not known yet how fast.
    Unknown,
    /// So many signatures per second.
    Sign(f64),
}

impl Admission {
    /// How many batches the share may have in hand. Beside others it begins with one, to learn how fast it is.
    pub fn at_most(&self, others: Others) -> usize {
        match (self.speed, others) {
            (None, Others::Absent) => self.threads,
            (None, _) => self.threads.min(1),
            (Some(_), _) if self.batch_takes() < SHORT => 2 * self.threads,
            (Some(_), _) => self.threads,
        }
    }

    /// With how large a backlog, in records, the share takes a batch when it has `in_hand` of them.
    pub fn least_backlog(&self, others: Others, in_hand: usize) -> u64 {
        match others {
            Others::Absent => 0,
            Others::Unknown => u64::MAX,
            Others::Sign(per_second) => {
                // A batch that is leased ahead begins when another one is done.
                let batches = if in_hand < self.threads { 1.0 } else { 2.0 };
                (batches * self.batch_takes().as_secs_f64() * MARGIN * per_second).round() as u64
            }
        }
    }

    fn batch_takes(&self) -> Duration {
        let each = self.speed.map_or(PRESUMED, |speed| speed.each);
        each.saturating_mul(u32::try_from(self.batch_size).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(each_ms: Option<u64>, batch_size: usize) -> Admission {
        let speed = |ms| Speed { each: Duration::from_millis(ms), per_second: 4000.0 / ms as f64 };
        Admission { threads: 4, speed: each_ms.map(speed), batch_size }
    }

    #[test]
    fn a_slow_share_needs_a_backlog_that_lasts_longer_than_its_batch() {
        let least = |each, size, others, in_hand| admission(each, size).least_backlog(others, in_hand);
        let fast = Others::Sign(8000.0);
        assert_eq!(least(Some(100), 1000, fast, 3), 880_000);
        assert_eq!(least(Some(100), 1000, fast, 4), 1_760_000, "it would wait for another to end");
        assert_eq!(least(Some(100), 10, fast, 0), 8800);
        assert_eq!(least(Some(4), 1000, fast, 0), 35_200);
        assert_eq!(least(None, 1000, fast, 0), 880_000, "unknown is slow");
        assert_eq!(least(Some(1), 1, Others::Unknown, 0), u64::MAX, "a short run does not wait for it");
        assert_eq!(least(Some(100), 1000, Others::Absent, 4), 0, "nothing else signs");
    }

    #[test]
    fn a_share_has_room_for_its_threads_and_as_many_ahead_if_a_batch_is_short_and_for_one_before_that_is_known()
     {
        let room = |each, size, others| admission(each, size).at_most(others);
        let fast = Others::Sign(8000.0);
        assert_eq!((room(Some(100), 10, fast), room(Some(100), 9, fast)), (4, 8));
        assert_eq!(
            (room(None, 9, fast), room(None, 9, Others::Unknown), room(None, 9, Others::Absent)),
            (1, 1, 4)
        );
        let none = Admission { threads: 0, ..admission(Some(1), 1) };
        assert_eq!(none.at_most(fast), 0);
    }
}
