//! The work of all threads that sign: the progress of each batch, and how long the rest takes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    share::ShareId,
    speed::{Meter, Speed},
    timing::Timing,
};

/// The batches that are being signed.
#[derive(Debug, Default)]
pub struct Workload {
    state: Mutex<State>,
    per_record: Timing,
    waits: Timing,
    signings: Timing,
}

#[derive(Debug, Default)]
struct State {
    begun: HashMap<u64, Begun>,
    last: u64,
    shares: HashMap<ShareId, OfShare>,
    busy: Duration,
}

#[derive(Debug, Default)]
struct OfShare {
    whole: Option<Duration>,
    meter: Meter,
}

#[derive(Debug)]
struct Begun {
    share: ShareId,
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
    /// Notes that a batch of `records` records is begun, which has waited for a thread of its share since `queued`.
    pub(super) fn begin(
        self: &Arc<Self>,
        share: ShareId,
        records: usize,
        queued: Duration,
        now: Duration,
    ) -> Ticket {
        self.waits.add(now.saturating_sub(queued));
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        state.begun.insert(number, Begun { share, since: now, last: now, records, done: 0 });
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

    /// How long a whole batch takes in the share that takes longest, judged by the last operations; `None` before the
    /// first operation.
    pub fn whole_batch(&self) -> Option<Duration> {
        self.lock().shares.values().filter_map(|share| share.whole).max()
    }

    /// How fast a share signs; `None` while this is not known.
    pub(super) fn speed(&self, share: ShareId) -> Option<Speed> {
        self.lock().shares.get(&share).and_then(|share| share.meter.speed())
    }

    /// How long the signing threads have signed so far, added up over all threads. Threads that wait for a custodian
    /// use no processor and do not count.
    pub fn busy(&self) -> Duration {
        self.lock().busy
    }

    /// How long one signature took, for each group of signatures that a thread made.
    pub fn per_record(&self) -> &Timing {
        &self.per_record
    }

    /// How long batches waited for a signing thread.
    pub fn waits(&self) -> &Timing {
        &self.waits
    }

    /// How long batches took to be signed, from the first record to the last.
    pub fn signings(&self) -> &Timing {
        &self.signings
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Notes that `records` of its records are signed. Returns how long each of the last ones took.
    pub(super) fn done(&self, records: usize, now: Duration) -> Option<Duration> {
        let state = &mut *self.workload.lock();
        let begun = state.begun.get_mut(&self.number)?;
        let (share, took) = (begun.share, now.saturating_sub(begun.last));
        let more = records.saturating_sub(begun.done);
        begun.last = now;
        begun.done = records.min(begun.records);
        if begun.done == begun.records {
            self.workload.signings.add(now.saturating_sub(begun.since));
        }
        let whole = begun.time_for(begun.records, now);
        // What is signed and not checked yet needs none of these threads.
        let is_at_work = |(number, begun): &(&u64, &Begun)| {
            begun.share == share && (**number == self.number || begun.done < begun.records)
        };
        let threads = state.begun.iter().filter(is_at_work).count();
        let of_share = state.shares.entry(share).or_default();
        of_share.whole = whole;
        of_share.meter.add(more, took, threads);
        if !share.waits() {
            state.busy += took;
        }
        let each = u32::try_from(more).ok().and_then(|more| took.checked_div(more))?;
        self.workload.per_record.add(each);
        Some(each)
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
        let begin = |queued, now| workload.begin(ShareId::SIGNING, 100, second(queued), second(now));
        let (fast, slow) = (begin(7, 10), begin(10, 10));
        assert_eq!((workload.waits().read().count(), workload.waits().read().seconds), (2, 3.0));
        fast.done(50, second(15));
        assert_eq!(workload.time_left(second(15)), None, "nothing is known of the second");
        slow.done(25, second(15));
        assert_eq!((workload.batches(), workload.time_left(second(15))), (2, Some(second(15))));
        assert_eq!(workload.whole_batch(), Some(second(20)));
        assert_eq!((workload.busy(), workload.per_record().read().count()), (second(10), 2));
        drop(slow);
        assert_eq!((workload.batches(), workload.time_left(second(15))), (1, Some(second(5))));
        assert_eq!(workload.signings().read().count(), 0, "no batch is done");
        fast.done(100, second(19));
        assert_eq!((workload.signings().read().count(), workload.signings().read().seconds), (1, 9.0));
    }

    #[test]
    fn each_share_has_its_speed_and_threads_that_wait_for_a_custodian_are_not_busy() {
        let (workload, ms) = (Arc::new(Workload::default()), Duration::from_millis);
        let [signing, waiting] = ShareId::first(2).collect::<Vec<_>>()[..] else { unreachable!() };
        let begin = |share| workload.begin(share, 20, ms(0), ms(0));
        let (first, second, slow) = (begin(signing), begin(signing), begin(waiting));
        assert_eq!([workload.speed(signing), workload.speed(waiting)], [None; 2]);
        assert_eq!(first.done(10, ms(10)), Some(ms(1)));
        assert_eq!(second.done(10, ms(10)), Some(ms(1)));
        assert_eq!(slow.done(1, ms(100)), Some(ms(100)));
        let speed = |share| workload.speed(share).map(|speed| (speed.each, speed.per_second.round() as u64));
        assert_eq!((speed(signing), speed(waiting)), (Some((ms(1), 2000)), Some((ms(100), 10))));
        assert_eq!((workload.busy(), workload.whole_batch()), (ms(20), Some(ms(2000))));
    }

    #[test]
    fn a_batch_that_is_signed_and_not_checked_yet_occupies_no_thread() {
        let (workload, ms) = (Arc::new(Workload::default()), Duration::from_millis);
        let begin = |now| workload.begin(ShareId::SIGNING, 10, now, now);
        let signed = begin(ms(0));
        signed.done(10, ms(10));
        begin(ms(10)).done(10, ms(20));
        assert_eq!(workload.speed(ShareId::SIGNING).unwrap().per_second.round(), 1000.0);
        assert_eq!(workload.batches(), 1, "a stop waits for the check");
    }
}
