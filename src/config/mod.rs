//! Layer 3, the settings of the service: defaults, and the rules between them.

mod anchor;
mod checking;
mod custody;
mod listen;
mod roles;
mod text;

use std::time::Duration;

use clap::Args;
use serde::Deserialize;

pub use anchor::AnchorParser;
pub use checking::{Checking, UnknownChecking};
pub use custody::{Custodian, sections as custody_sections};
pub use listen::{Listen, UnknownListen};
pub use roles::{Roles, UnknownRole};
use text::{duration, parsed_duration};
pub use text::{parsed, parsed_some};

use crate::{
    anchors::AnchorAddress,
    domain::{BatchRow, Scheme},
    signer::Engine,
};

/// The settings of a running service, with their defaults. This struct declares the flags, and the keys of the
/// section `signing` of the settings file. The first paragraph of each comment is the text of `--help`.
#[derive(Args, Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[command(next_help_heading = "Signing options")]
pub struct Settings {
    // 1 to `MAX_BATCH_SIZE`.
    /// Records per batch: all are signed with one key, and stored together [default: 1000]
    #[arg(long, value_name = "N")]
    pub batch_size: usize,
    /// How to sign: PS256, PS384, PS512, RS256, RS384 or RS512 [default: PS256]
    #[arg(long, value_name = "NAME")]
    #[serde(deserialize_with = "parsed")]
    pub scheme: Scheme,
    /// What signs: aws-lc, lanes (eight at once, on processors with AVX-512 IFMA), or rsa (many times
    /// slower) [default: aws-lc]
    #[arg(long, value_name = "ENGINE")]
    #[serde(deserialize_with = "parsed")]
    pub signer: Engine,
    /// Which signatures to verify before they are stored: needed (those of signers that do not check
    /// their results; aws-lc, lanes and rsa do) or always (all) [default: needed]
    #[arg(long = "check-signatures", value_name = "WHEN")]
    #[serde(rename = "check-signatures", deserialize_with = "parsed")]
    pub checking: Checking,
    /// Signing threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub signers: usize,
    // Batches leased beyond the number of signing threads, so that no thread waits for the database.
    /// Batches held ready beyond those being signed [default: enough for the batch size]
    #[arg(long, value_name = "N")]
    pub prefetch: Option<usize>,
    /// How long an incomplete batch waits for more records [default: 200ms]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    #[serde(deserialize_with = "parsed_duration")]
    pub linger: Duration,
    /// How often to look for records that others inserted [default: 200ms]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    #[serde(deserialize_with = "parsed_duration")]
    pub poll_interval: Duration,
    /// How long a process may be silent before its batches go to others [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    #[serde(deserialize_with = "parsed_duration")]
    pub lease_ttl: Duration,
    /// Added to lease-ttl, to allow for clock differences and pauses [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    #[serde(deserialize_with = "parsed_duration")]
    pub lease_grace: Duration,
    /// How long a stop waits for the batches that are being signed before it gives them back [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    #[serde(deserialize_with = "parsed_duration")]
    pub stop_grace: Duration,
    // It is in no backup and on no disk that the database is in or on. Each node needs one that no other node has.
    /// What remembers elsewhere what was committed, so that a database which is older is noticed: the path of a file, or
    /// postgres://USER@HOST/DB#NAME. May be given several times. A password belongs into PGPASSWORD or a password file,
    /// because other users can see the arguments of a process
    #[arg(long, value_name = "PATH|URL", value_parser = AnchorParser)]
    pub anchor: Vec<AnchorAddress>,
    /// What this process is called in 'signwave status' [default: host name and process id]
    #[arg(long, value_name = "NAME")]
    pub node_name: String,
}

/// Settings that break a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A number is out of range.
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
    /// The lease would run out while a batch is being stored.
    #[error(
        "lease-ttl is {ttl:?}, but storing a batch of {batch_size} can take {:?}, during which the lease cannot be \
         renewed: set lease-ttl to at least {needed:?}, or batch-size to at most {fitting}",
        storing_time(.needed)
    )]
    LeaseTooShort {
        /// How long a lease runs.
        ttl: Duration,
        /// Records per batch.
        batch_size: usize,
        /// The shortest lease that allows this batch size.
        needed: Duration,
        /// The largest batch size that this lease allows.
        fitting: u128,
    },
    /// A node name that is empty, too long, or not printable.
    #[error("node-name is '{}', but must have 1 to 200 characters, none of them a control character", .0.chars().take(200).flat_map(char::escape_debug).collect::<String>())]
    NodeName(String),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_size: 1000,
            scheme: Scheme::default(),
            signer: Engine::default(),
            checking: Checking::default(),
            signers: std::thread::available_parallelism().map_or(1, usize::from),
            prefetch: None,
            linger: Duration::from_millis(200),
            poll_interval: Duration::from_millis(200),
            lease_ttl: Duration::from_secs(30),
            lease_grace: Duration::from_secs(5),
            stop_grace: Duration::from_secs(60),
            anchor: Vec::new(),
            node_name: host_and_process(),
        }
    }
}

/// Host name and process id, such as `alpha-1234`: unique for each process, and found in the output of `ps`.
fn host_and_process() -> String {
    let host = rustix::system::uname();
    format!("{}-{}", host.nodename().to_string_lossy(), std::process::id())
}

impl Settings {
    /// The largest batch.
    pub const MAX_BATCH_SIZE: usize = BatchRow::MAX_RECORDS;

    /// Checks each setting against its range, and against the others.
    ///
    /// One rule between settings is needed: a lease must outlast the longest transaction, because SQLite
    /// has one writer, which cannot renew the lease while it stores a batch. A node renews its lease after
    /// a third of the time to live, and trusts the lease for half of that time. The difference, a sixth, is
    /// the time in which a batch must be stored. Otherwise the node would stop signing after every commit,
    /// and could end up with every batch fenced.
    ///
    /// The other settings need no such rule, because each has a separate timer. A grace, even of 0, only
    /// moves the moment of a reclaim, and the fence holds at any moment. The lease is renewed during a stop
    /// of any length. The linger and the polls do not wait for each other.
    ///
    /// # Errors
    /// Names the first setting that breaks a rule.
    pub fn check(&self) -> Result<(), SettingsError> {
        let range = |name, found: u128, min: u128, max: u128| {
            if (min..=max).contains(&found) {
                Ok(())
            } else {
                Err(SettingsError::OutOfRange { name, found, min, max })
            }
        };
        range("batch-size", self.batch_size as u128, 1, Self::MAX_BATCH_SIZE as u128)?;
        range("signers", self.signers as u128, 1, 1024)?;
        range("prefetch", self.prefetch.unwrap_or(1) as u128, 1, 10_000)?;
        range("linger (ms)", self.linger.as_millis(), 0, 60_000)?;
        range("poll-interval (ms)", self.poll_interval.as_millis(), 1, 60_000)?;
        range("lease-ttl (ms)", self.lease_ttl.as_millis(), 1_000, 3_600_000)?;
        range("lease-grace (ms)", self.lease_grace.as_millis(), 0, 3_600_000)?;
        range("stop-grace (ms)", self.stop_grace.as_millis(), 0, 3_600_000)?;
        let needed = 6 * Self::STORED_IN * u32::try_from(self.batch_size).unwrap_or(u32::MAX);
        if self.lease_ttl < needed {
            let (ttl, batch_size) = (self.lease_ttl, self.batch_size);
            let fitting = ttl.as_micros() / (6 * Self::STORED_IN).as_micros();
            return Err(SettingsError::LeaseTooShort { ttl, batch_size, needed, fitting });
        }
        let is_name = (1..=200).contains(&self.node_name.chars().count());
        if !is_name || self.node_name.contains(char::is_control) {
            return Err(SettingsError::NodeName(self.node_name.clone()));
        }
        Ok(())
    }

    /// How long storing a record takes on a slow disk: several times the measured time.
    const STORED_IN: Duration = Duration::from_micros(20);

    /// How many batches of its signing threads a node holds at most: one per thread, and enough others that about
    /// [`Self::RECORDS_AHEAD`] more records are in hand while a transaction runs.
    pub fn leases_at_most(&self) -> usize {
        let ahead = || Self::RECORDS_AHEAD.div_ceil(self.batch_size).max(self.signers);
        self.signers + self.prefetch.unwrap_or_else(ahead)
    }

    /// How many batches a node that only emits keeps open for signing nodes: as many as a few nodes like
    /// this one hold, and no fewer than [`Self::RECORDS_FOR_OTHERS`] records. The open batches must last
    /// from one poll to the next, because the node is notified of new records, but not of leases.
    pub fn open_at_most(&self) -> usize {
        (4 * self.leases_at_most()).max(Self::RECORDS_FOR_OTHERS / self.batch_size)
    }

    /// The number of records that 40 cores sign with RSA-2048 in 200 ms.
    pub const RECORDS_FOR_OTHERS: usize = 32_768;

    /// Records in hand beyond those being signed.
    pub const RECORDS_AHEAD: usize = 512;
}

/// The part of a lease in which a batch must be stored: see [`Settings::check`].
fn storing_time(lease: &Duration) -> Duration {
    *lease / 6
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
    fn a_lease_that_ends_while_a_batch_is_stored_is_refused() {
        let with = |batch_size, ttl| {
            let lease_ttl = Duration::from_millis(ttl);
            Settings { batch_size, lease_ttl, ..Settings::default() }.check()
        };
        assert_eq!(with(Settings::MAX_BATCH_SIZE, 12_000), Ok(()));
        assert_eq!(
            with(Settings::MAX_BATCH_SIZE, 11_999).unwrap_err().to_string(),
            "lease-ttl is 11.999s, but storing a batch of 100000 can take 2s, during which the lease cannot be \
             renewed: set lease-ttl to at least 12s, or batch-size to at most 99991"
        );
        assert_eq!((with(8333, 1000), with(8334, 1000).is_err()), (Ok(()), true));
    }

    #[test]
    fn graces_polls_and_lingers_go_with_any_lease() {
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(60));
        let settings = Settings {
            lease_ttl: short,
            lease_grace: Duration::ZERO,
            stop_grace: long,
            poll_interval: long,
            linger: long,
            ..Settings::default()
        };
        assert_eq!(settings.check(), Ok(()));
    }

    #[test]
    fn a_node_is_named_after_host_and_process_or_as_it_was_told() {
        let name = Settings::default().node_name;
        assert!(name.len() > 2 && name.ends_with(&format!("-{}", std::process::id())), "{name}");
        for bad in ["", "a\nb", &"x".repeat(201)] {
            let settings = Settings { node_name: bad.to_owned(), ..Settings::default() };
            assert_eq!(settings.check(), Err(SettingsError::NodeName(bad.to_owned())));
        }
    }

    #[test]
    fn small_batches_are_leased_in_greater_number() {
        let hold = |batch_size| Settings { batch_size, signers: 2, ..Settings::default() }.leases_at_most();
        assert_eq!((hold(1000), hold(100), hold(1)), (4, 8, 514));
    }
}
