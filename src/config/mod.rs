//! Layer 3, the settings of the service: defaults, and the rules between them.

mod roles;

use std::time::Duration;

pub use roles::{Roles, UnknownRole};

use crate::domain::Scheme;

/// What a running service can be told. `Default` is what it does when told nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What of the work a service does; a run that ends when nothing is left does all of it.
    pub roles: Roles,
    /// Records per batch, 1 to [`Settings::MAX_BATCH_SIZE`]. It does not change while running.
    pub batch_size: usize,
    /// How records are signed.
    pub scheme: Scheme,
    /// Signing threads; one per core unless told otherwise.
    pub signers: usize,
    /// Batches leased beyond the number of signing threads, so that none of them waits for the
    /// database. `None`: as many as the batch size calls for.
    pub prefetch: Option<usize>,
    /// How long an incomplete batch waits for more records while the signers are busy.
    pub linger: Duration,
    /// How often the database is looked at for records that another process inserted.
    pub poll_interval: Duration,
    /// How long a node's lease runs without being renewed.
    pub lease_ttl: Duration,
    /// How long after the end of its lease a node is declared dead.
    pub lease_grace: Duration,
    /// How long a stop waits for the batches in hand before it gives them back.
    pub stop_grace: Duration,
    /// How many threads carry out transactions, each with a connection of its own.
    pub connections: usize,
    /// What this node is called, for people to read.
    pub node_name: String,
}

/// Settings that contradict a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A number is outside its range.
    #[error("{name} is {found}, but must be from {min} to {max}")]
    OutOfRange {
        /// The setting, as the command line spells it.
        name: &'static str,
        /// What it was set to.
        found: u128,
        /// The least it may be.
        min: u128,
        /// The most it may be.
        max: u128,
    },
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            roles: Roles::default(),
            batch_size: 1000,
            scheme: Scheme::default(),
            signers: std::thread::available_parallelism().map_or(1, usize::from),
            prefetch: None,
            linger: Duration::from_millis(200),
            poll_interval: Duration::from_millis(200),
            lease_ttl: Duration::from_secs(30),
            lease_grace: Duration::from_secs(5),
            stop_grace: Duration::from_secs(2),
            connections: 1,
            node_name: host_and_process(),
        }
    }
}

/// Such as `alpha-1234`: one name per process, which `ps` on that host knows too.
fn host_and_process() -> String {
    let host = rustix::system::uname();
    format!("{}-{}", host.nodename().to_string_lossy(), std::process::id())
}

impl Settings {
    /// The largest batch: its signatures are held in memory until they are stored.
    pub const MAX_BATCH_SIZE: usize = 100_000;

    /// Checks each setting against its range.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let range = |name, found: u128, min: u128, max: u128| {
            if (min..=max).contains(&found) {
                Ok(())
            } else {
                Err(SettingsError::OutOfRange { name, found, min, max })
            }
        };
        range("batch-size", self.batch_size as u128, 1, Self::MAX_BATCH_SIZE as u128)?;
        range("connections", self.connections as u128, 1, 100)?;
        range("signers", self.signers as u128, 1, 1024)?;
        range("prefetch", self.prefetch.unwrap_or(1) as u128, 1, 10_000)?;
        range("linger (ms)", self.linger.as_millis(), 0, 60_000)?;
        range("poll-interval (ms)", self.poll_interval.as_millis(), 1, 60_000)?;
        range("lease-ttl (ms)", self.lease_ttl.as_millis(), 1_000, 3_600_000)?;
        range("lease-grace (ms)", self.lease_grace.as_millis(), 0, 3_600_000)?;
        range("stop-grace (ms)", self.stop_grace.as_millis(), 0, 3_600_000)
    }

    /// How many batches a node holds at most: one per signing thread, and enough beside them that
    /// about [`Self::RECORDS_AHEAD`] records are in hand while a transaction runs.
    pub fn leases_at_most(&self) -> usize {
        let ahead = || Self::RECORDS_AHEAD.div_ceil(self.batch_size).max(self.signers);
        self.signers + self.prefetch.unwrap_or_else(ahead)
    }

    /// How many batches a node that only emits keeps open for signers elsewhere: what a few nodes like
    /// this one hold, and no fewer than [`Self::RECORDS_FOR_OTHERS`] records. It hears of new records,
    /// not of batches that were taken, so that they must last from one poll to the next.
    pub fn open_at_most(&self) -> usize {
        (4 * self.leases_at_most()).max(Self::RECORDS_FOR_OTHERS / self.batch_size)
    }

    /// What 40 cores sign with RSA-2048 in 200 ms.
    pub const RECORDS_FOR_OTHERS: usize = 32_768;

    /// Records in hand beyond those being signed.
    pub const RECORDS_AHEAD: usize = 512;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_keep_the_rules() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn a_batch_of_nothing_is_refused() {
        let settings = Settings { batch_size: 0, ..Settings::default() };
        assert_eq!(
            settings.check().map_err(|error| error.to_string()),
            Err("batch-size is 0, but must be from 1 to 100000".to_owned())
        );
    }

    #[test]
    fn small_batches_are_leased_in_greater_number() {
        let hold = |batch_size| Settings { batch_size, signers: 2, ..Settings::default() }.leases_at_most();
        assert_eq!((hold(1000), hold(100), hold(1)), (4, 8, 514));
    }
}
