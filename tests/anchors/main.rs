//! Anchors, beside a ledger that commits, rolls back, goes back in time and takes other turns: what they remember, and what
//! is left of them when processes, disks and power fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crashes;
mod disks;
mod ledger;
mod protocol;
mod reading;
mod rewrites;
