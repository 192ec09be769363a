//! Connections: how they are opened, what is set on each, and the pools that keep them.

use std::{fs::File, io::ErrorKind, path::Path, time::Duration};

use diesel::{
    Connection, ConnectionError, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{ConnectionManager, Error as R2d2Error},
    sql_types::{BigInt, Text},
};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use r2d2::{CustomizeConnection, Pool};

use super::{
    errors::{Failure, classify_message},
    files::beside,
};
use crate::{
    libpq::percent::ENCODED,
    store::{
        StoreError,
        sql::{Sql, row},
    },
};

pub(super) type SqlitePool = Pool<ConnectionManager<SqliteConnection>>;

/// Below this, two writing connections can corrupt a database in WAL mode.
const SAFE_VERSION: [u32; 3] = [3, 51, 3];

/// How long SQLite itself waits for the transactions of other processes. Each should be short, but SQLite only looks
/// ten times a second whether its turn has come, and processes that write all the time may come first.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 15000";

/// How long a thread waits for one of this process' connections.
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(30);

/// What every writer sets after `busy_timeout` and `journal_mode`, one statement each.
///
/// The write-ahead log is copied into the database each 2000 pages (8 MB: large enough that pages written
/// often, such as those of keys, are copied once for many commits), and is cut back to 64 MB if a long reader
/// has made it longer.
const WRITER: [&str; 7] = [
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA wal_autocheckpoint = 2000",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -16384",
];

const READER: [&str; 4] = [
    "PRAGMA query_only = ON",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cache_size = -8192",
];

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Read and write.
    Write,
    /// Read, while others write.
    Read,
    /// Read a file that nobody writes, without anything beside it.
    Frozen,
}

/// Opens a file that exists, by a path without symbolic links; never makes one.
pub(super) fn connect(path: &Path, access: Access) -> Result<SqliteConnection, StoreError> {
    match sync_log(path) {
        // A reader may have no right to read the log, or read a file that nobody can write. SQLite reports that
        // if it matters.
        Err(_) if access != Access::Write => {}
        synced => synced?,
    }
    let mut connection = SqliteConnection::establish(&uri(path, access)?).map_err(|error| match error {
        ConnectionError::BadConnection(message) => classify_message(&message),
        error => StoreError::Other(error.to_string()),
    })?;
    refuse_unsafe_sqlite(&mut connection).map_err(|failure| failure.0)?;
    connection.batch_execute(BUSY_TIMEOUT).map_err(|error| Failure::from(error).0)?;
    Ok(connection)
}

/// One connection that writes. It has read the log before it is handed out, and while it is open no process
/// reads the log from its beginning.
pub(super) fn writer_pool(path: &Path) -> Result<SqlitePool, StoreError> {
    let writer = pool(path, 1, Role::Writer, Access::Write)?;
    sync_log(path)?;
    Ok(writer)
}

/// Connections that read, for `threads` threads at a time.
pub(super) fn reader_pool(path: &Path, threads: u32, access: Access) -> Result<SqlitePool, StoreError> {
    pool(path, threads, Role::Reader, access)
}

/// A connection is not tested at check-out (a file does not go away as a server does) and lives as
/// long as the pool, with its prepared statements. One whose user panicked, or whose transaction
/// could not be ended, is replaced: `ConnectionManager::has_broken` says so at check-in.
fn pool(path: &Path, size: u32, role: Role, access: Access) -> Result<SqlitePool, StoreError> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(1))
        .test_on_check_out(false)
        .max_lifetime(None)
        .idle_timeout(None)
        .connection_timeout(CHECKOUT_TIMEOUT)
        .connection_customizer(Box::new(role))
        .build(ConnectionManager::new(uri(path, access)?))
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

#[derive(Clone, Copy, Debug)]
enum Role {
    Writer,
    Reader,
}

impl CustomizeConnection<SqliteConnection, R2d2Error> for Role {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), R2d2Error> {
        let done = match self {
            Self::Writer => prepare_writer(connection),
            Self::Reader => prepare_reader(connection),
        };
        done.map_err(|failure| {
            R2d2Error::ConnectionError(ConnectionError::BadConnection(failure.0.to_string()))
        })
    }
}

/// Makes a connection durable and strict, and checks the result, because SQLite ignores an unknown pragma, and
/// answers another mode where write-ahead logging cannot work.
pub(super) fn prepare_writer(connection: &mut SqliteConnection) -> Result<(), Failure> {
    connection.batch_execute(BUSY_TIMEOUT)?;
    let mode: Option<String> = row::<JournalMode, _, _>(connection, &[])?;
    if mode.as_deref() != Some("wal") {
        return Err(Failure(StoreError::Other(format!(
            "write-ahead logging does not work here (journal mode '{}'): if the database is on a network file \
             system, move it to a local one",
            mode.unwrap_or_default()
        ))));
    }
    WRITER.iter().try_for_each(|pragma| connection.batch_execute(pragma))?;
    let answers: Option<(i64, i64, i64, i64, String)> = row::<WriterAnswers, _, _>(connection, &[])?;
    if answers != Some((2, 1, 1, 0, "UTF-8".to_owned())) {
        return Err(Failure(StoreError::Other(format!(
            "SQLite ignored a pragma, or texts are not UTF-8: {answers:?}"
        ))));
    }
    Ok(())
}

/// Makes durable what is found in the log.
///
/// A process that is killed within a commit may leave all of it in the log, but not on the disk. The next
/// process that opens the file, when no other has it open, reads the log from its beginning, accepts that
/// commit and shows it. SQLite syncs the commit only with the next one, and the power may fail before. So the
/// log is synced before it is read, and again after, because another process may have come and died in between.
fn sync_log(path: &Path) -> Result<(), StoreError> {
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
    let log = beside(path, "-wal");
    match sync(&log) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()), // there is no log to sync
        // The log's name must be durable, too.
        Ok(()) => path.parent().map_or(Ok(()), sync),
        error => error,
    }
    .map_err(|error| StoreError::Unavailable(format!("cannot sync '{}': {error}", log.display())))
}

fn prepare_reader(connection: &mut SqliteConnection) -> Result<(), Failure> {
    connection.batch_execute(BUSY_TIMEOUT)?;
    READER.iter().try_for_each(|pragma| connection.batch_execute(pragma))?;
    Ok(())
}

struct JournalMode;
impl Sql for JournalMode {
    const TEXT: &'static str = "PRAGMA journal_mode = WAL";
    type Columns = Text;
}

struct WriterAnswers;
impl Sql for WriterAnswers {
    const TEXT: &'static str = "SELECT synchronous, foreign_keys, recursive_triggers, trusted_schema, encoding \
         FROM pragma_synchronous, pragma_foreign_keys, pragma_recursive_triggers, pragma_trusted_schema, \
         pragma_encoding";
    type Columns = (BigInt, BigInt, BigInt, BigInt, Text);
}

struct Version;
impl Sql for Version {
    const TEXT: &'static str = "SELECT sqlite_version()";
    type Columns = Text;
}

fn refuse_unsafe_sqlite(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let version: String = row::<Version, _, _>(connection, &[])?.unwrap_or_default();
    if is_safe(&version) { Ok(()) } else { Err(Failure(StoreError::UnsafeSqlite(version))) }
}

fn is_safe(version: &str) -> bool {
    let numbers: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    numbers.len() >= 2 && numbers >= SAFE_VERSION.to_vec()
}

/// What is written as `%XX` in a path.
const PATH: AsciiSet = ENCODED.remove(b'/');

/// A `file:` URI, because only that can say "do not make a new file".
fn uri(path: &Path, access: Access) -> Result<String, StoreError> {
    let path = std::path::absolute(path).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let Some(path) = path.to_str() else {
        return Err(StoreError::BadUrl(format!("the path '{}' is not UTF-8", path.display())));
    };
    // Where writing is not allowed, SQLite opens a file to read, whatever the mode says.
    let mode = if access == Access::Frozen { "mode=ro&immutable=1" } else { "mode=rw" };
    Ok(format!("file:{}?{mode}", utf8_percent_encode(path, &PATH)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_can_corrupt_a_database_are_refused() {
        for (version, safe) in [
            ("3.40.1", false),
            ("3.51.2", false),
            ("3.51.3", true),
            ("3.53.0", true),
            ("4.0", true),
            ("", false),
            ("x", false),
        ] {
            assert_eq!(is_safe(version), safe, "{version}");
        }
    }

    #[test]
    fn any_path_becomes_a_uri_of_that_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("50% of a?b#c ö.db");
        assert!(matches!(connect(&path, Access::Write), Err(StoreError::Unavailable(_))), "never creates");
        std::fs::File::create(&path).unwrap();
        let mut connection = connect(&path, Access::Write).unwrap();
        connection.batch_execute("CREATE TABLE t (a)").unwrap();
        drop(connection);
        assert!(std::fs::metadata(&path).unwrap().len() > 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
