//! Databases that go back in time beside their anchors: copies that are put back, standbys that lag and take over, processes
//! that are killed, disks that are full.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accepted;
mod calls;
mod copies;
mod databases;
mod failover;
mod full;
mod full_restores;
mod healed;
mod history;
mod kills;
mod losses;
mod rewrites;
mod servers;
mod under_running;
