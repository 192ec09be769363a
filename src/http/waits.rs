//! Waits: requests that wait until a record is signed. A wait holds neither a thread nor a database connection.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use actix_web::HttpRequest;
use tokio::{
    sync::{
        broadcast::{Receiver, error::RecvError},
        oneshot,
    },
    time::{Instant, sleep_until},
};

use super::{
    prefer,
    problem::{Kind, Problem},
};
use crate::{
    actors::Committed,
    domain::{RecordId, Runs},
};

/// Requests that wait at a time.
const WAITS: usize = 10_000;

/// How often a wait looks at the database, because other processes sign, too.
pub const LOOK: Duration = Duration::from_secs(1);

/// What a wait for any signature listens to. No record has this id.
pub const ANY: RecordId = RecordId(0);

/// With many waits each looks less often, so that all of them look at most so many times a second.
const LOOKS_PER_SECOND: usize = 500;

/// The records that requests wait for. Clones share them.
#[derive(Clone, Default)]
pub struct Waits(Arc<Shared>);

#[derive(Default)]
struct Shared {
    count: AtomicUsize,
    by_record: Mutex<BTreeMap<RecordId, Vec<oneshot::Sender<()>>>>,
}

/// The place of one wait.
pub struct Place(Arc<Shared>);

/// The longest wait. A longer one is shortened to this, because proxies and clients give up after 30 to 60 seconds of
/// silence.
const LONGEST: Duration = Duration::from_secs(30);

/// How long the client wishes to wait, at most [`LONGEST`]; `None` if it does not say so.
///
/// # Errors
/// [`Kind::InvalidRequest`] when the header Prefer does not follow RFC 7240.
pub fn wished(request: &HttpRequest) -> Result<Option<Duration>, Problem> {
    let headers = request.headers().get_all("prefer").map(|header| header.as_bytes());
    let wait = prefer::wait(headers)
        .map_err(|_| Problem::because(Kind::InvalidRequest, "The header Prefer is not valid (RFC 7240)."))?;
    Ok(wait.map(|wait| wait.min(LONGEST)))
}

impl Waits {
    /// Wakes waits when this run stores their batches. To be called once, inside an actix system.
    pub fn listen(&self, mut commits: Receiver<Committed>) {
        let waits = self.clone();
        actix_rt::spawn(async move {
            loop {
                match commits.recv().await {
                    Ok(committed) => waits.0.wake(&committed.records),
                    // Any of them may have been stored.
                    Err(RecvError::Lagged(_)) => waits.0.wake_all(),
                    Err(RecvError::Closed) => break,
                }
            }
        });
    }

    /// How long a client that waits again and again should pause in between, so that all of them look no more often than
    /// [`LOOKS_PER_SECOND`].
    pub fn gap(&self) -> Duration {
        let waits = u32::try_from(self.0.count.load(Relaxed)).unwrap_or(u32::MAX);
        LOOK * waits / LOOKS_PER_SECOND as u32
    }

    /// Takes a place for one wait, before anything is stored.
    ///
    /// # Errors
    /// [`Kind::Overloaded`] when too many requests wait.
    pub fn place(&self) -> Result<Place, Problem> {
        let place = Place(Arc::clone(&self.0));
        // Dropping the place gives it back, also on the way out here.
        if self.0.count.fetch_add(1, Relaxed) < WAITS { Ok(place) } else { Err(Problem::overloaded()) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Relaxed);
    }
}

impl Place {
    /// Looks until there is something to see, `end` returns, or the time is over.
    ///
    /// # Errors
    /// Those of `look`, but a look that finds the service overloaded is made again later.
    pub async fn wait<T>(
        self,
        record: RecordId,
        time: Duration,
        end: impl Future<Output = ()>,
        mut look: impl AsyncFnMut() -> Result<Option<T>, Problem>,
    ) -> Result<Option<T>, Problem> {
        let (deadline, end) = (Instant::now() + time, std::pin::pin!(end));
        let mut end = end;
        let mut is_over = false;
        loop {
            // First listen, then look, then wait: a commit after the look is heard, and one before it is seen.
            let heard = self.listen(record);
            match look().await {
                Err(problem) if problem.kind == Kind::Overloaded => {}
                Ok(None) => {}
                seen => return seen,
            }
            if is_over {
                return Ok(None);
            }
            let next = Instant::now() + self.pause();
            tokio::select! {
                () = heard => {}
                () = sleep_until(next.min(deadline)) => is_over = next >= deadline,
                () = &mut end => is_over = true,
            }
        }
    }

    /// Returns when this run has stored the record's signature, or may have.
    fn listen(&self, record: RecordId) -> impl Future<Output = ()> + use<> {
        let (told, heard) = oneshot::channel();
        let listener = Listener { shared: Arc::clone(&self.0), record, heard };
        self.0.lock().entry(record).or_default().push(told);
        async move {
            let mut listener = listener;
            let _ = (&mut listener.heard).await;
        }
    }

    fn pause(&self) -> Duration {
        let waits = self.0.count.load(Relaxed);
        LOOK.max(LOOK * u32::try_from(waits / LOOKS_PER_SECOND).unwrap_or(u32::MAX))
    }
}

/// A wait that listens. It leaves nothing behind.
struct Listener {
    shared: Arc<Shared>,
    record: RecordId,
    heard: oneshot::Receiver<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.heard.close();
        let mut by_record = self.shared.lock();
        if let Some(listeners) = by_record.get_mut(&self.record) {
            listeners.retain(|listener| !listener.is_closed());
            if listeners.is_empty() {
                by_record.remove(&self.record);
            }
        }
    }
}

impl Shared {
    fn wake(&self, records: &Runs) {
        let mut by_record = self.lock();
        by_record.remove(&ANY).into_iter().for_each(tell);
        for (first, last) in records.ranges() {
            let waited_for: Vec<_> = by_record.range(first..=last).map(|(record, _)| *record).collect();
            waited_for.iter().filter_map(|record| by_record.remove(record)).for_each(tell);
        }
    }

    fn wake_all(&self) {
        std::mem::take(&mut *self.lock()).into_values().for_each(tell);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RecordId, Vec<oneshot::Sender<()>>>> {
        self.by_record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(listeners: Vec<oneshot::Sender<()>>) {
    for listener in listeners {
        // A listener that has gone needs no word.
        let _ = listener.send(());
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending};

    use super::*;

    fn waits() -> Waits {
        Waits::default()
    }

    fn runs(text: &str) -> Runs {
        text.parse().unwrap()
    }

    /// Waits for record 7, of which the look sees nothing until `signed` says so.
    async fn wait(waits: &Waits, seconds: u64, signed: &Cell<bool>, looks: &Cell<u32>) -> Option<()> {
        let look = async || {
            looks.set(looks.get() + 1);
            Ok(signed.get().then_some(()))
        };
        waits.place().unwrap().wait(RecordId(7), Duration::from_secs(seconds), pending(), look).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_wakes_the_waits_for_its_records_and_no_others() {
        let (waits, signed, looks) = (waits(), Cell::new(false), Cell::new(0));
        let begun = Instant::now();
        let others = async {
            tokio::task::yield_now().await;
            waits.0.wake(&runs("1-6,8-100"));
            tokio::task::yield_now().await;
            assert_eq!(looks.get(), 1);
            signed.set(true);
            waits.0.wake(&runs("6-7"));
        };
        let (seen, ()) = tokio::join!(wait(&waits, 30, &signed, &looks), others);
        assert_eq!((seen, looks.get(), begun.elapsed()), (Some(()), 2, Duration::ZERO));
        assert!(waits.0.lock().is_empty() && waits.0.count.load(Relaxed) == 0, "nothing is left behind");
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_during_a_look_that_came_too_early_is_not_missed() {
        let (waits, looks, begun) = (waits(), Cell::new(0), Instant::now());
        let look = async || {
            looks.set(looks.get() + 1);
            // The first look reads the database just before the commit.
            let seen = (looks.get() > 1).then_some(());
            waits.0.wake(&runs("7"));
            Ok(seen)
        };
        let waited = waits.place().unwrap().wait(RecordId(7), Duration::from_secs(30), pending(), look).await;
        assert_eq!((waited, looks.get(), begun.elapsed()), (Ok(Some(())), 2, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_process_signs_is_seen_within_a_second() {
        let (waits, signed, looks, begun) = (waits(), Cell::new(false), Cell::new(0), Instant::now());
        let other = async {
            sleep_until(begun + Duration::from_millis(2500)).await;
            signed.set(true);
        };
        let (seen, ()) = tokio::join!(wait(&waits, 30, &signed, &looks), other);
        assert_eq!((seen, begun.elapsed()), (Some(()), Duration::from_secs(3)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_a_last_look_when_its_time_is_over_or_the_service_stops() {
        let (waits, signed, looks, begun) = (waits(), Cell::new(false), Cell::new(0), Instant::now());
        assert_eq!(wait(&waits, 2, &signed, &looks).await, None);
        assert_eq!((looks.get(), begun.elapsed()), (3, Duration::from_secs(2)));
        assert_eq!(wait(&waits, 0, &signed, &looks).await, None);
        let place = waits.place().unwrap();
        let stopped = place.wait(RecordId(7), Duration::from_secs(30), async {}, async || Ok(None::<()>));
        assert_eq!(stopped.await, Ok(None));
        assert_eq!(begun.elapsed(), Duration::from_secs(2), "a stop is heard at once");
        assert!(waits.0.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_overload_does_not_end_a_wait_and_another_problem_does() {
        let waits = waits();
        let mut answers = [Problem::overloaded(), Problem::new(Kind::Internal)].into_iter();
        let look = async || Err::<Option<()>, _>(answers.next().unwrap());
        let waited = waits.place().unwrap().wait(RecordId(7), Duration::from_secs(30), pending(), look).await;
        assert_eq!(waited.unwrap_err().kind, Kind::Internal);
    }

    #[test]
    fn places_are_limited_and_given_back() {
        let waits = waits();
        let places: Vec<_> = (0..WAITS).map(|_| waits.place().unwrap()).collect();
        assert_eq!(waits.place().err().map(|problem| problem.kind), Some(Kind::Overloaded));
        assert_eq!(places[0].pause(), Duration::from_secs(20));
        drop(places);
        assert_eq!(waits.place().unwrap().pause(), LOOK);
    }
}
