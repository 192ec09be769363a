//! The schema's versions: what a file holds, making it, bringing it up to date, taking it back.

use std::{
    fs::OpenOptions,
    io::ErrorKind,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use diesel::{SqliteConnection, sql_types::BigInt, sql_types::Text, sqlite::Sqlite};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    connection::{Access, connect, prepare_writer},
    errors::{Failure, classify, classify_message},
    files::Files,
    locks::NodeLocks,
    look::canonical,
    transaction::{with_path, write_on},
};
use crate::store::sql::{self, Sql, row, rows};
use crate::{domain::NodeId, store::StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// See [`crate::store::migrate`].
pub(in crate::store) fn migrate(path: &Path) -> Result<Vec<String>, StoreError> {
    create_private(path)?;
    patiently(|| {
        on_file(path, Access::Write, |connection| {
            refuse_others(connection)?;
            prepare_writer(connection)?;
            // What if we die here? The file is there, empty or of the version it had: run the command again.
            // All that is missing is added in one transaction, so that no version in between exists, and two
            // processes that do this at the same time wait for each other.
            Ok(write_on(connection, |connection| {
                refuse_others(connection)?;
                run_pending(connection)
            })?)
        })
    })
}

/// See [`crate::store::revert`].
pub(in crate::store) fn revert(path: &Path) -> Result<String, StoreError> {
    on_file(path, Access::Write, |connection| {
        refuse_others(connection)?;
        prepare_writer(connection)?;
        Ok(write_on(connection, |connection| {
            refuse_others(connection)?;
            if applied(connection)?.is_empty() {
                return Err(Failure(StoreError::Refused("there is no migration to revert".to_owned())));
            }
            refuse_living(connection, path)?;
            let version = connection.revert_last_migration(MIGRATIONS).map_err(migration_failure)?;
            Ok(name_of(&version.to_string()))
        })?)
    })
}

/// Refuses to revert the schema, or to accept a restore, under nodes at work. A node whose process is dead does not count.
pub(super) fn refuse_living(connection: &mut SqliteConnection, path: &Path) -> Result<(), Failure> {
    let locks = NodeLocks::new(&canonical(path)?);
    let nodes: Vec<(i64, String)> = rows::<NodeNames, _, _>(connection, &[])?;
    match nodes.into_iter().find(|(id, _)| locks.take_from_dead(NodeId(*id)).is_none()) {
        Some((id, name)) => Err(Failure(StoreError::Refused(format!(
            "node {id} ({name}) is at work: stop every process that uses the database first (if the node was \
             lost with its machine, wait until its lease has run out)"
        )))),
        None => Ok(()),
    }
}

/// Accepts a database of exactly this version.
pub(super) fn check_version(connection: &mut SqliteConnection) -> Result<(), Failure> {
    refuse_others(connection)?;
    let applied = applied(connection)?;
    if known().iter().all(|(version, _)| applied.contains(version)) {
        Ok(())
    } else {
        Err(Failure(StoreError::OlderSchema))
    }
}

/// Runs what is missing and returns the names.
pub(super) fn run_pending(connection: &mut SqliteConnection) -> Result<Vec<String>, Failure> {
    let versions = connection.run_pending_migrations(MIGRATIONS).map_err(migration_failure)?;
    Ok(versions.iter().map(|version| name_of(&version.to_string())).collect())
}

/// Refuses a database that is not Sign Wave's, or of a newer version. An empty one may become ours.
///
/// The objects are read first: those that another process makes right now come together with their version.
fn refuse_others(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let has_objects = has_objects(connection)?;
    let (applied, known) = (applied(connection)?, known());
    let is_ours = known.first().is_some_and(|(first, _)| applied.contains(first));
    if !is_ours && (!applied.is_empty() || has_objects) {
        return Err(Failure(StoreError::NotADatabase(String::new())));
    }
    match applied.into_iter().find(|version| !known.iter().any(|(known, _)| known == version)) {
        Some(unknown) => Err(Failure(StoreError::NewerSchema(unknown))),
        None => Ok(()),
    }
}

/// Tries again for a while, because SQLite does not wait, whatever `busy_timeout` says, while two processes
/// switch the same new file to write-ahead logging, or while the last one to close a file removes its log.
pub(super) fn patiently<T>(act: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        match act() {
            Err(StoreError::Busy) if Instant::now() < deadline => sleep(Duration::from_millis(20)),
            result => return result,
        }
    }
}

/// Makes an empty file that only its owner may read; SQLite gives its other files the same mode.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            ErrorKind::AlreadyExists => Ok(()),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Err(StoreError::ReadOnly(path.display().to_string()))
            }
            ErrorKind::StorageFull => Err(StoreError::Full),
            ErrorKind::NotFound => Err(StoreError::Unavailable(format!(
                "the folder of '{}' does not exist: make it first",
                path.display()
            ))),
            _ => Err(StoreError::Unavailable(format!("cannot create '{}': {error}", path.display()))),
        },
    }
}

/// Opens a file for `body`, and names the file in each error.
pub(super) fn on_file<T>(
    path: &Path,
    access: Access,
    body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    let file = std::fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => StoreError::NotFound(path.display().to_string()),
        _ => StoreError::Unavailable(format!("cannot open '{}': {error}", path.display())),
    })?;
    // SQLite takes a file shorter than its smallest page for an empty database, and overwrites it.
    if !file.is_file() || (1..512).contains(&file.len()) {
        return Err(StoreError::NotADatabase(path.display().to_string()));
    }
    let files = Files::claim(&canonical(path)?).map_err(|error| match error {
        StoreError::Unreadable(_) if access == Access::Write => {
            StoreError::ReadOnly(path.display().to_string())
        }
        error => error,
    })?;
    let opened = connect(&files.path, access);
    let done = opened.and_then(|mut connection| body(&mut connection).map_err(|failure| failure.0));
    done.map_err(|error| match error {
        // The file exists, so what is missing is the right to write to it, or to create the log beside it.
        StoreError::Unavailable(message) if message == "unable to open database file" => {
            StoreError::ReadOnly(path.display().to_string())
        }
        error => with_path(error, path),
    })
}

fn known() -> Vec<(String, String)> {
    sql::known::<Sqlite>(&MIGRATIONS)
}

fn name_of(version: &str) -> String {
    known().into_iter().find(|(known, _)| known == version).map_or(version.to_owned(), |(_, name)| name)
}

fn applied(connection: &mut SqliteConnection) -> Result<Vec<String>, Failure> {
    match row::<HasVersions, i64, _>(connection, &[])? {
        Some(1) => Ok(rows::<Versions, _, _>(connection, &[])?),
        _ => Ok(Vec::new()),
    }
}

fn has_objects(connection: &mut SqliteConnection) -> Result<bool, Failure> {
    Ok(row::<Objects, i64, _>(connection, &[])?.is_some_and(|count| count > 0))
}

struct HasVersions;
impl Sql for HasVersions {
    const TEXT: &'static str =
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '__diesel_schema_migrations'";
    type Columns = BigInt;
}

struct NodeNames;
impl Sql for NodeNames {
    const TEXT: &'static str =
        "SELECT id, name FROM node WHERE lease_until > strftime('%Y-%m-%dT%H:%M:%fZ', 'now') ORDER BY id";
    type Columns = (BigInt, Text);
}

struct Versions;
impl Sql for Versions {
    const TEXT: &'static str = "SELECT version FROM __diesel_schema_migrations ORDER BY version";
    type Columns = Text;
}

struct Objects;
impl Sql for Objects {
    const TEXT: &'static str = "SELECT count(*) FROM sqlite_master \
         WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@' AND tbl_name <> '__diesel_schema_migrations'";
    type Columns = BigInt;
}

/// Diesel boxes the error of a migration in a private type.
fn migration_failure(error: Box<dyn std::error::Error + Send + Sync>) -> Failure {
    if let Some(error) = error.downcast_ref() {
        return Failure(classify(error));
    }
    let text = error.to_string();
    match classify_message(text.rsplit_once(" with: ").map_or(text.as_str(), |(_, message)| message)) {
        StoreError::Other(_) => Failure(StoreError::Other(text)),
        error => Failure(error),
    }
}
