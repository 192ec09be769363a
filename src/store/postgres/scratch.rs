//! Databases to measure on: made on a server that the user names, and dropped afterwards.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use diesel::{PgConnection, connection::SimpleConnection, sql_types::Integer};

use super::{connection::connect, errors::Failure, session::Session};
use crate::store::{
    DatabaseUrl, StoreError,
    sql::{Sql, row},
};

/// New databases beside the one that `url` names, whose user must be allowed to make them. They are
/// dropped when this is.
pub struct Scratch {
    url: String,
    prefix: String,
    made: AtomicU32,
}

impl Scratch {
    /// Connects, to see that it can.
    ///
    /// # Errors
    /// As for opening a database.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        connect(url, &Session::FIRST)?;
        let prefix = format!("signwave_bench_{}_", std::process::id());
        Ok(Self { url: url.to_owned(), prefix, made: AtomicU32::new(0) })
    }

    /// An empty database, or a copy of one of these that nobody is connected to.
    ///
    /// # Errors
    /// The server's.
    pub fn database(&self, template: Option<&DatabaseUrl>) -> Result<DatabaseUrl, StoreError> {
        let name = format!("{}{}", self.prefix, self.made.fetch_add(1, Relaxed));
        let template = match template {
            Some(DatabaseUrl::Postgres(url)) => path_of(url),
            _ => "template1",
        };
        self.run(&format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
        Ok(DatabaseUrl::Postgres(with_path(&self.url, &name)))
    }

    /// Drops a database, whoever is connected to it.
    ///
    /// # Errors
    /// The server's.
    pub fn drop_database(&self, url: &DatabaseUrl) -> Result<(), StoreError> {
        match url {
            DatabaseUrl::Postgres(url) => {
                self.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", path_of(url)))
            }
            DatabaseUrl::Sqlite(_) => Ok(()),
        }
    }

    fn run(&self, sql: &str) -> Result<(), StoreError> {
        connect(&self.url, &Session::FIRST)?.batch_execute(sql).map_err(|error| Failure::from(error).into())
    }

    /// Processor seconds that the whole server has used so far, if it runs on this host: its own process,
    /// those it has waited for, and its children.
    pub fn server_cpu_seconds(&self) -> Option<f64> {
        let mut connection = connect(&self.url, &Session::FIRST).ok()?;
        let backend = row::<BackendPid, i32, PgConnection>(&mut connection, &[]).ok()??;
        let (postmaster, ..) = process(backend)?;
        let processes =
            fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let ticks: u64 = processes
            .filter_map(|pid: i32| {
                let (parent, own, waited_for) = process(pid)?;
                match pid == postmaster {
                    true => Some(own + waited_for),
                    false => (parent == postmaster).then_some(own),
                }
            })
            .sum();
        Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for number in 0..self.made.load(Relaxed) {
            if let Err(error) =
                self.run(&format!("DROP DATABASE IF EXISTS {}{number} WITH (FORCE)", self.prefix))
            {
                log::warn!("cannot drop {}{number}: {error}", self.prefix);
            }
        }
    }
}

/// A process' parent, its own processor time, and that of the children it has waited for, in ticks:
/// fields 4, 14 to 17 of proc(5).
fn process(pid: i32) -> Option<(i32, u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some((number(4)? as i32, number(14)? + number(15)?, number(16)? + number(17)?))
}

fn path_of(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let path = rest.split_once('/').map_or("postgres", |(_, path)| path);
    path.split_once('?').map_or(path, |(path, _)| path)
}

fn with_path(url: &str, name: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (rest, parameters) =
        rest.split_once('?').map_or((rest, String::new()), |(rest, p)| (rest, format!("?{p}")));
    let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    format!("{scheme}://{authority}/{name}{parameters}")
}

struct BackendPid;
impl Sql for BackendPid {
    const TEXT: &'static str = "SELECT pg_backend_pid()";
    type Columns = Integer;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server_has_another_path() {
        for (url, other) in [
            ("postgres://u:p@h:1/d", "postgres://u:p@h:1/x"),
            ("postgres://h/d?sslmode=require", "postgres://h/x?sslmode=require"),
            ("postgres://h", "postgres://h/x"),
        ] {
            assert_eq!(with_path(url, "x"), other);
            assert_eq!(path_of(other), "x");
        }
    }
}
