//! A ring of equal steps of time: what happened in each of the last ones.

use std::{collections::VecDeque, time::Duration};

/// What happened in one step of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// Records that were signed and stored.
    pub signed: u64,
    /// For how long threads were signing, added up over all threads.
    pub busy: Duration,
    /// How many records waited when somebody looked last.
    pub backlog: Option<u64>,
}

impl Step {
    fn add(&mut self, more: Self) {
        self.signed += more.signed;
        self.busy += more.busy;
        self.backlog = more.backlog.or(self.backlog);
    }
}

/// The last steps since some beginning. A step in which nothing happened is there, too.
#[derive(Debug)]
pub struct Ring {
    length: Duration,
    capacity: usize,
    /// The number of the oldest step that is kept.
    first: u64,
    steps: VecDeque<Step>,
}

impl Ring {
    /// A ring of `capacity` steps of that length.
    pub fn new(length: Duration, capacity: usize) -> Self {
        Self { length, capacity, first: 0, steps: VecDeque::new() }
    }

    /// How long each step is.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Adds what happened to the step that is going on `now` after the beginning, and begins all steps until then.
    pub fn add(&mut self, now: Duration, more: Step) {
        let number = u64::try_from(now.as_nanos() / self.length.as_nanos()).unwrap_or(u64::MAX);
        let kept = number.saturating_sub(self.capacity as u64 - 1);
        while self.first < kept && self.steps.pop_front().is_some() {
            self.first += 1;
        }
        self.first = self.first.max(kept);
        let count =
            usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX).saturating_add(1);
        if self.steps.len() < count {
            self.steps.resize(count, Step::default());
        }
        // Time does not go back, so that the last step is the present one.
        if let Some(last) = self.steps.back_mut() {
            last.add(more);
        }
    }

    /// The steps, the oldest first, each with when it began after the beginning.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = (Duration, Step)> {
        let began = |number: u64| self.length.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
        self.steps.iter().enumerate().map(move |(place, step)| (began(self.first + place as u64), *step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn signed(signed: u64) -> Step {
        Step { signed, ..Step::default() }
    }

    fn seen(ring: &Ring) -> Vec<(u64, u64)> {
        ring.steps().map(|(began, step)| (began.as_secs(), step.signed)).collect()
    }

    #[test]
    fn what_happens_within_a_step_adds_up_and_silence_is_zero() {
        let mut ring = Ring::new(5 * SECOND, 10);
        assert_eq!(seen(&ring), []);
        for (now, count) in [(0, 1), (4, 2), (5, 3), (17, 4)] {
            ring.add(Duration::from_secs(now), signed(count));
        }
        assert_eq!(seen(&ring), [(0, 3), (5, 3), (10, 0), (15, 4)]);
    }

    #[test]
    fn the_last_steps_are_kept_after_any_pause() {
        let mut ring = Ring::new(SECOND, 3);
        for now in 0..5 {
            ring.add(Duration::from_secs(now), signed(now + 1));
        }
        assert_eq!(seen(&ring), [(2, 3), (3, 4), (4, 5)]);
        ring.add(Duration::from_secs(6), signed(9));
        assert_eq!(seen(&ring), [(4, 5), (5, 0), (6, 9)]);
        ring.add(Duration::from_secs(1_000_000), signed(1));
        assert_eq!(seen(&ring), [(999_998, 0), (999_999, 0), (1_000_000, 1)]);
    }

    #[test]
    fn the_sum_is_what_was_added_as_long_as_the_ring_is_long_enough() {
        let (mut short, mut long) = (Ring::new(SECOND, 60), Ring::new(60 * SECOND, 60));
        let mut sum = 0;
        for tenth in 0..600 {
            let count = tenth * 7 % 11;
            sum += count;
            short.add(Duration::from_millis(tenth * 100), signed(count));
            long.add(Duration::from_millis(tenth * 100), signed(count));
        }
        assert_eq!(seen(&short).iter().map(|(_, count)| count).sum::<u64>(), sum);
        assert_eq!(seen(&long), [(0, sum)]);
    }

    #[test]
    fn of_several_looks_at_the_backlog_the_last_one_stays() {
        let mut ring = Ring::new(SECOND, 3);
        for backlog in [Some(5), Some(7), None] {
            ring.add(Duration::ZERO, Step { backlog, busy: SECOND / 4, signed: 0 });
        }
        let expected = Step { signed: 0, busy: SECOND * 3 / 4, backlog: Some(7) };
        assert_eq!(ring.steps().collect::<Vec<_>>(), [(Duration::ZERO, expected)]);
    }
}
