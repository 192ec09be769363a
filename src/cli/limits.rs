//! The limits that the operating system sets for this process, and how many open files a command needs.

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::SettingsError;

/// The most open files that a command can need: an HTTP API with all its connections, and 6,000 files besides.
const ENOUGH: u64 = 16_000;

/// The most connections that the HTTP API takes at a time.
const HTTP_CONNECTIONS: usize = 10_000;

/// The files that a process that signs has open besides its connections to the database.
const BESIDE_CONNECTIONS: u64 = 24;

/// More connections than this would only wait for each other.
const CONNECTIONS_AT_MOST: u128 = 100;

/// Files, sockets or pipes per connection: SQLite has the database, its log and its index.
const PER_CONNECTION: u64 = 3;

/// Raises the limit of open files as far as this process may.
pub fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if current.is_some_and(|current| current < wanted) {
        // If this is refused, the operation that needs more files fails and reports it.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}

/// Checks the number of connections of a process that signs. A process with too few open files must not start,
/// because it could fail later in a place that cannot report the cause.
pub fn check_connections(connections: usize) -> Result<()> {
    let (found, min, max) = (connections as u128, 1, CONNECTIONS_AT_MOST);
    if !(min..=max).contains(&found) {
        bail!(SettingsError::OutOfRange { name: "connections", found, min, max });
    }
    let needed = BESIDE_CONNECTIONS + PER_CONNECTION * connections as u64;
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => bail!(
            "too few open files are allowed (RLIMIT_NOFILE is {allowed}, and {needed} are needed): raise the limit \
             with 'ulimit -n {}'",
            (2 * needed).next_power_of_two()
        ),
        _ => Ok(()),
    }
}

/// How many connections the HTTP API may take at a time: two thirds of the files that this process may open.
pub fn http_connections() -> usize {
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    files.map_or(HTTP_CONNECTIONS, |files| HTTP_CONNECTIONS.min(files * 2 / 3))
}

/// A hint for an error that too few open files may have caused. The error itself does not always say so.
pub fn advice() -> String {
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < BESIDE_CONNECTIONS => {
            format!(
                " (only {allowed} open files are allowed, which may be the cause: try again after 'ulimit -n 64')"
            )
        }
        _ => String::new(),
    }
}
