//! Databases to measure on, made in a folder or on a server that the user names, and removed afterwards.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use anyhow::{Context as _, Result, ensure};
use diesel::{
    Connection, PgConnection, RunQueryDsl, connection::SimpleConnection, dsl::sql, sql_types::Integer,
};
use signwave::store::DatabaseUrl;
use tempfile::TempDir;

/// The prefix of the names of these databases. The no-op signer refuses any other database.
const PREFIX: &str = "signwave_bench_";

/// New databases, each with a name. They are removed when this is dropped.
pub struct Scratch {
    place: Place,
    made: AtomicU32,
}

enum Place {
    Folder(TempDir),
    /// The address of a database on the server. New databases are made beside it.
    Server(String),
}

impl Scratch {
    /// Databases in a new folder inside `folder`, on the device to be measured.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("signwave-bench-").tempdir_in(folder);
        let place = Place::Folder(
            folder.context("cannot make a folder for the databases: name another with --folder")?,
        );
        Ok(Self { place, made: AtomicU32::new(0) })
    }

    /// Databases beside the one that `address` names. Its user needs the right to make databases.
    pub fn on_server(address: String) -> Result<Self> {
        connect(&address)?;
        Ok(Self { place: Place::Server(address), made: AtomicU32::new(0) })
    }

    /// Whether the databases are on a server.
    pub fn is_server(&self) -> bool {
        matches!(self.place, Place::Server(_))
    }

    /// Makes an empty database, or a copy of one of these, which must have no connections. Returns its name.
    pub fn database(&self, template: Option<&str>) -> Result<String> {
        let name = name(self.made.fetch_add(1, Relaxed));
        match (&self.place, template) {
            (Place::Folder(_), None) => {} // the migrations make the file
            (Place::Folder(folder), Some(template)) => {
                fs::copy(folder.path().join(template), folder.path().join(&name))?;
            }
            (Place::Server(address), template) => {
                let template = template.unwrap_or("template1");
                connect(address)?.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
            }
        }
        Ok(name)
    }

    /// Where a database is.
    pub fn url(&self, name: &str) -> Result<DatabaseUrl> {
        match &self.place {
            Place::Folder(folder) => Ok(DatabaseUrl::Sqlite(folder.path().join(name))),
            Place::Server(address) => url_on(address, name),
        }
    }

    /// Removes a database; a server ends its connections.
    pub fn remove(&self, name: &str) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => {
                for suffix in ["", "-wal", "-shm"] {
                    let _ = fs::remove_file(folder.path().join(format!("{name}{suffix}"))); // often there is no log
                }
            }
            Place::Server(address) => {
                connect(address)?.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
            }
        }
        Ok(())
    }

    /// Processor seconds that the whole server has used so far, if it runs on this host: its main process, the
    /// processes that this has waited for, and its children.
    pub fn server_cpu_seconds(&self) -> Option<f64> {
        let Place::Server(address) = &self.place else { return None };
        let backend = sql::<Integer>("SELECT pg_backend_pid()").get_result(&mut connect(address).ok()?);
        let (postmaster, ..) = process(backend.ok()?)?;
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
        for name in (0..self.made.load(Relaxed)).map(name) {
            if let Err(error) = self.remove(&name) {
                log::warn!("cannot remove {name}: {error}");
            }
        }
    }
}

fn name(number: u32) -> String {
    format!("{PREFIX}{}_{number}", std::process::id())
}

/// The address of one of these databases on the server of `address`. libpq uses the last `dbname`.
///
/// # Errors
/// When the name does not belong to a database made here.
pub fn url_on(address: &str, name: &str) -> Result<DatabaseUrl> {
    ensure!(
        name.starts_with(PREFIX),
        "'{name}' was not made by scripts/bench: the no-op signer must not sign in it"
    );
    let separator = if address.contains('?') { '&' } else { '?' };
    Ok(DatabaseUrl::parse(&format!("{address}{separator}dbname={name}"))?)
}

fn connect(address: &str) -> Result<PgConnection> {
    PgConnection::establish(address).context("cannot reach the server: check --database")
}

/// A process' parent, its own processor time, and that of the children it has waited for, in ticks:
/// fields 4, 14 to 17 of proc(5).
fn process(pid: i32) -> Option<(i32, u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some((number(4)? as i32, number(14)? + number(15)?, number(16)? + number(17)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_databases_that_were_made_to_measure_on_have_an_address() {
        for (server, expected) in [
            ("postgres://h/d", "postgres://h/d?dbname=signwave_bench_1_0"),
            ("postgres://h/d?sslmode=require", "postgres://h/d?sslmode=require&dbname=signwave_bench_1_0"),
        ] {
            let url = url_on(server, "signwave_bench_1_0").unwrap();
            assert_eq!(url, DatabaseUrl::Postgres(expected.to_owned()));
            assert!(url_on(server, "signwave").is_err());
        }
    }
}
