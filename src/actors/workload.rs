//! The work of the signing threads: the progress of each batch, and how long the rest takes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::timing::Timing;

/// The batches that are being signed.
#[derive(Debug, Default)]
pub struct Workload {
    state: Mutex<State>,
    per_record: Timing,
}

#[derive(Debug, Default)]
struct State {
    begun: HashMap<u64, Begun>,
    last: u64,
    whole: Option<Duration>,
    busy: Duration,
}

#[derive(Debug)]
struct Begun {
    since: Duration,
    last: Duration,
    records: usize,
    done: usize,
}

impl Begun {
    /// How long `records` records take at the pace of this batch; `None` before the first record is signed.
    fn time_for(&self, records: usize, now: Duration) -> Option<Duration> {
        let elapsed = now.saturating_sub(self.since);
        (self.done > 0).then(|| elapsed.mul_f64(records as f64 / self.done as f64))
    }
}

/// A batch that is being signed, until the ticket is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    workload: Arc<Workload>,
    number: u64,
}

impl Workload {
    /// Notes that a batch of `records` records is begun.
    pub(super) fn begin(self: &Arc<Self>, records: usize, now: Duration) -> Ticket {
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        state.begun.insert(number, Begun { since: now, last: now, records, done: 0 });
        Ticket { workload: Arc::clone(self), number }
    }

    /// How many batches are being signed.
    pub fn batches(&self) -> usize {
        self.lock().begun.len()
    }

    /// How long it takes until the last batch is done; `None` if this is not known yet.
    pub fn time_left(&self, now: Duration) -> Option<Duration> {
        let state = self.lock();
        let left = |begun: &Begun| begun.time_for(begun.records - begun.done, now);
        state.begun.values().map(left).try_fold(Duration::ZERO, |longest, left| Some(longest.max(left?)))
    }

    /// How long a whole batch takes, judged by the last operations; `None` before the first operation.
    pub fn whole_batch(&self) -> Option<Duration> {
        self.lock().whole
    }

    /// How long the signing threads have signed so far, added up over all threads.
    pub fn busy(&self) -> Duration {
        self.lock().busy
    }

    /// How long one signature took, for each group of signatures that a thread made.
    pub fn per_record(&self) -> &Timing {
        &self.per_record
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Notes that `records` of its records are signed.
    pub(super) fn done(&self, records: usize, now: Duration) {
        let mut state = self.workload.lock();
        if let Some(begun) = state.begun.get_mut(&self.number) {
            let (took, more) = (now.saturating_sub(begun.last), records.saturating_sub(begun.done));
            begun.last = now;
            begun.done = records.min(begun.records);
            let whole = begun.time_for(begun.records, now);
            state.whole = whole;
            state.busy += took;
            if let Some(each) = u32::try_from(more).ok().and_then(|more| took.checked_div(more)) {
                self.workload.per_record.add(each);
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.workload.lock().begun.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_batch_that_takes_longest() {
        let (workload, second) = (Arc::new(Workload::default()), Duration::from_secs);
        assert_eq!((workload.batches(), workload.time_left(second(9))), (0, Some(Duration::ZERO)));
        let fast = workload.begin(100, second(10));
        let slow = workload.begin(100, second(10));
        fast.done(50, second(15));
        assert_eq!(workload.time_left(second(15)), None, "nothing is known of the second");
        slow.done(25, second(15));
        assert_eq!((workload.batches(), workload.time_left(second(15))), (2, Some(second(15))));
        assert_eq!(workload.whole_batch(), Some(second(20)));
        assert_eq!((workload.busy(), workload.per_record().read().count()), (second(10), 2));
        drop(slow);
        assert_eq!((workload.batches(), workload.time_left(second(15))), (1, Some(second(5))));
    }
}
