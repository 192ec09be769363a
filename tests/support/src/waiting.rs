//! Waiting for what others do.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Polls until `condition` holds; `what` is named when it does not within `limit`.
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Lets something last for a time: a trouble, a slow operation, the pause between two looks. What is waited for is
/// polled with [`until`].
pub fn lasting(time: Duration) {
    thread::sleep(time);
}
