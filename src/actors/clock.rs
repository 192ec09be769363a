//! The clock of leases, which also counts while the machine is suspended and cannot be set, and the time of day.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Time since an arbitrary moment; it never goes back.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// CLOCK_BOOTTIME. `std::time::Instant` would be wrong, because it stops during suspend: a node that was suspended
/// would trust a lease that other nodes have reclaimed.
pub fn boottime() -> Clock {
    Arc::new(|| {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
    })
}

/// The time of day by this machine's clock, for people to read.
#[expect(
    clippy::disallowed_methods,
    reason = "people compare it with their clocks, and nothing is decided by it"
)]
pub fn time_of_day() -> SystemTime {
    SystemTime::now()
}
