//! Snapshot: the status of the database, read once a second at most, however many clients ask.

use std::{collections::VecDeque, ops::Deref, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::problem::Problem;
use crate::store::{OldestUnsigned, Status};

/// The looks of the last seconds.
#[derive(Default)]
pub struct Snapshot(Mutex<Looks>);

#[derive(Default)]
struct Looks {
    last: Option<(Instant, Arc<Look>)>,
    /// When, the signed records, and the time for which this process had signed. The oldest comes first.
    before: VecDeque<(Instant, u64, Duration)>,
}

/// The database as it was at one moment, and the speed of the work until then.
pub struct Look {
    status: Status,
    /// The record that has waited longest.
    pub oldest: Option<OldestUnsigned>,
    /// Records that all nodes together signed per second; `None` while that is not known.
    pub records_per_second: Option<f64>,
    /// How many of the threads of this process were signing, on the average; `None` while that is not known.
    pub signing_threads: Option<f64>,
}

impl Deref for Look {
    type Target = Status;

    fn deref(&self) -> &Status {
        &self.status
    }
}

impl Look {
    /// How long the waiting records take at the present rate, in seconds, if that is known.
    pub fn seconds_left(&self) -> Option<f64> {
        match self.status.waiting() {
            0 => Some(0.0),
            waiting => self.records_per_second.filter(|rate| *rate > 0.0).map(|rate| waiting as f64 / rate),
        }
    }
}

impl Snapshot {
    /// How old a status may be.
    pub const AGE: Duration = Duration::from_secs(1);
    /// How old the looks are with which the last one is compared.
    const WINDOW: Duration = Duration::from_secs(10);

    /// The status as it was within the last second. Callers that ask while it is read wait for the same answer. `signing_time`
    /// says for how long the threads of this process have signed.
    ///
    /// # Errors
    /// Those of `read`, which reads it.
    pub async fn look(
        &self,
        read: impl Future<Output = Result<(Status, Option<OldestUnsigned>), Problem>>,
        signing_time: impl FnOnce() -> Duration,
    ) -> Result<Arc<Look>, Problem> {
        let mut looks = self.0.lock().await;
        if let Some((at, look)) = &looks.last
            && at.elapsed() < Self::AGE
        {
            return Ok(Arc::clone(look));
        }
        let (status, oldest) = read.await?;
        let look = Arc::new(looks.compare(Instant::now(), status, oldest, signing_time()));
        looks.last = Some((Instant::now(), Arc::clone(&look)));
        Ok(look)
    }
}

impl Looks {
    fn compare(
        &mut self,
        now: Instant,
        status: Status,
        oldest: Option<OldestUnsigned>,
        signing_time: Duration,
    ) -> Look {
        self.before.retain(|(at, ..)| now.duration_since(*at) <= Snapshot::WINDOW);
        let first = self.before.front().copied();
        self.before.push_back((now, status.signed, signing_time));
        let seconds =
            first.map(|(at, ..)| now.duration_since(at).as_secs_f64()).filter(|seconds| *seconds > 0.0);
        let per_second = |amount: f64| seconds.map(|seconds| amount / seconds);
        let (signed, signing) = first.map_or((0, Duration::ZERO), |(_, signed, time)| {
            (status.signed.saturating_sub(signed), signing_time.saturating_sub(time))
        });
        Look {
            status,
            oldest,
            records_per_second: per_second(signed as f64),
            signing_threads: per_second(signing.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(signed: u64, open: u64) -> Status {
        Status { signed, open, ..Status::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_ask_within_a_second_get_the_same_look() {
        let snapshot = Snapshot::default();
        let mut reads = 0;
        for _ in 0..5 {
            let read = async {
                reads += 1;
                Ok((status(1, 0), None))
            };
            assert_eq!(snapshot.look(read, Duration::default).await.unwrap().signed, 1);
        }
        assert_eq!(reads, 1);
        tokio::time::advance(Snapshot::AGE).await;
        let look = snapshot.look(async { Ok((status(3, 0), None)) }, Duration::default).await.unwrap();
        assert_eq!((look.signed, look.records_per_second), (3, Some(2.0)));
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds_and_says_how_long_the_rest_takes() {
        let (mut looks, start) = (Looks::default(), Instant::now());
        let second = |n| start + Duration::from_secs(n);
        let first = looks.compare(start, status(0, 500), None, Duration::ZERO);
        assert_eq!((first.records_per_second, first.seconds_left()), (None, None));
        let look = looks.compare(second(2), status(200, 300), None, Duration::from_secs(3));
        assert_eq!((look.records_per_second, look.signing_threads), (Some(100.0), Some(1.5)));
        assert_eq!(look.seconds_left(), Some(3.0));
        let late = looks.compare(second(60), status(300, 0), None, Duration::from_secs(3));
        assert_eq!(
            (late.records_per_second, late.seconds_left()),
            (None, Some(0.0)),
            "the other looks are too old"
        );
    }
}
