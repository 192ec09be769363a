//! The clock of leases: it counts while the machine is suspended, and nobody can set it.

use std::{sync::Arc, time::Duration};

/// Time since an arbitrary moment; it never goes back.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// CLOCK_BOOTTIME. `std::time::Instant` will not do: it stops during suspend, and a node that
/// slept would believe in a lease that others have long since reclaimed.
pub fn boottime() -> Clock {
    Arc::new(|| {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
    })
}
