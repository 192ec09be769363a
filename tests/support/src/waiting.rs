//! Waiting for what others do.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a busy machine may stand still without anybody's fault.
const STANDSTILL: Duration = Duration::from_secs(60);

/// Polls until `condition` holds; `what` is named when it does not within `limit`, and a minute in which the machine may
/// stand still.
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit + STANDSTILL;
    loop {
        let looked = Instant::now();
        if condition() {
            return;
        }
        let took = looked.elapsed();
        assert!(Instant::now() < deadline, "not within {limit:?} and a minute: {what}");
        // To look costs something: half of the time is for those who are waited for.
        thread::sleep(took.clamp(Duration::from_millis(2), Duration::from_millis(100)));
    }
}

/// Makes attempts until one takes less than `limit`, which all do on a machine at rest. A machine that is busy holds up
/// some; `what` is named when it would be all of ten. An attempt returns how long it took.
pub fn timely(what: &str, limit: Duration, mut attempt: impl FnMut() -> Duration) {
    let mut times = Vec::new();
    while times.last().is_none_or(|time| *time >= limit) {
        assert!(times.len() < 10, "never within {limit:?}: {what}: {times:?}");
        times.push(attempt());
    }
    println!("measured: {what}, after {times:?}");
}

/// Lets something last for a time: a trouble, a slow operation, the pause between two looks. What is waited for is
/// polled with [`until`].
pub fn lasting(time: Duration) {
    thread::sleep(time);
}
