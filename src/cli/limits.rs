//! What the operating system allows this process, and what a command needs of it.

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::SettingsError;

/// More open files than this are never of use.
const ENOUGH: u64 = 4096;

/// What a process that signs has open besides its connections to the database.
const BESIDE_CONNECTIONS: u64 = 24;

/// More of them than this would only wait for each other.
const CONNECTIONS_AT_MOST: u128 = 100;

/// Files, sockets or pipes per connection: SQLite has the database, its log and its index.
const PER_CONNECTION: u64 = 3;

/// Allows this process as many open files as it may allow itself.
pub fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if current.is_some_and(|current| current < wanted) {
        // Where it is refused, whatever needs more says so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}

/// Checks how many connections a process that signs is to have. What would run out of open files in the middle,
/// at a place that cannot say so, does not begin.
pub fn check_connections(connections: usize) -> Result<()> {
    let (found, min, max) = (connections as u128, 1, CONNECTIONS_AT_MOST);
    if !(min..=max).contains(&found) {
        bail!(SettingsError::OutOfRange { name: "connections", found, min, max });
    }
    let needed = BESIDE_CONNECTIONS + PER_CONNECTION * connections as u64;
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => bail!(
            "too few open files are allowed (RLIMIT_NOFILE is {allowed}, and {needed} are needed): raise it with \
             'ulimit -n {}'",
            (2 * needed).next_power_of_two()
        ),
        _ => Ok(()),
    }
}

/// What to add to an error that may be one of open files: those who report it do not always say so.
pub fn advice() -> String {
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < BESIDE_CONNECTIONS => {
            format!(
                " (only {allowed} open files are allowed, which may be why: try again after 'ulimit -n 64')"
            )
        }
        _ => String::new(),
    }
}
