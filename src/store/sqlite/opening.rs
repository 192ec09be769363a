//! Opening a file that holds a database: to write to it, or to read it while others write.

use std::path::Path;

use diesel::SqliteConnection;

use super::{
    SqliteStore,
    connection::{Access, SqlitePool, prepare_writer, reader_pool, writer_pool},
    errors::Failure,
    files::Files,
    ledger,
    locks::NodeLocks,
    look::canonical,
    migrations::{check_version, on_file, patiently},
    nodes::delete_none,
    transaction::{checkout, with_path, write_on},
};
use crate::{
    anchors::AnchorAddress,
    store::{StoreError, anchored, sql::halt},
};

/// Threads of this process that read at the same time.
const READERS: u32 = 4;

impl SqliteStore {
    /// See [`crate::store::open`].
    pub(in crate::store) fn open(path: &Path, anchors: &[AnchorAddress]) -> Result<Self, StoreError> {
        let mut store = Self::open_to_restore(path)?;
        let ledger = ledger::read(&mut *checkout(&store.readers)?).map_err(|failure| failure.0)?;
        let halting = |why: &str| {
            let halted = store.write(|connection| halt::<_, Failure>(connection, why, None));
            halted.unwrap_or_else(|error| log::warn!("the ledger could not be halted: {error}"));
        };
        store.anchors = Some(anchored::open(anchors, &ledger, halting)?);
        store.compare()?;
        Ok(store)
    }

    /// See [`crate::store::open_to_restore`].
    pub(in crate::store) fn open_to_restore(path: &Path) -> Result<Self, StoreError> {
        patiently(|| {
            on_file(path, Access::Write, |connection| {
                check_version(connection)?;
                prepare_writer(connection)?;
                refuse_read_only(connection)
            })
        })?;
        let mut files = Files::claim(&canonical(path)?)?;
        let (writers, readers) =
            (writer_pool(&files.path)?, reader_pool(&files.path, READERS, Access::Write)?);
        files.attach()?;
        Ok(Self::over(files, Some(writers), readers))
    }

    /// See [`crate::store::open_to_read`]. It takes no lock that a writer could hold.
    pub(in crate::store) fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        match patiently(|| Self::open_beside_writers(path)) {
            Err(StoreError::ReadOnly(_)) => Self::open_frozen(path),
            opened => opened,
        }
    }

    /// Opens a file as any reader of a write-ahead log does: it needs a log and its index, and creates them if
    /// they are missing.
    fn open_beside_writers(path: &Path) -> Result<Self, StoreError> {
        on_file(path, Access::Read, check_version)?;
        let mut files = Files::claim(&canonical(path)?)?;
        let readers = reader_pool(&files.path, READERS, Access::Read)?;
        // SQLite opens the log only when it reads.
        let reads = checkout(&readers)
            .and_then(|mut connection| check_version(&mut connection).map_err(|failure| failure.0));
        reads.map_err(|error| with_path(error, &files.path))?;
        files.attach()?;
        Ok(Self::over(files, None, readers))
    }

    /// Opens the file alone, for a process that may not create the log or its index. This works as long as the
    /// log is empty, and the file does not change.
    fn open_frozen(path: &Path) -> Result<Self, StoreError> {
        let mut files = Files::claim(&canonical(path)?)?;
        let io = |error: std::io::Error| StoreError::Unavailable(error.to_string());
        if !files.is_log_empty().map_err(io)? {
            return Err(StoreError::Unreadable(format!(
                "the database '{0}' cannot be read without its log '{0}-wal', for which you need the right to read \
                 '{0}-wal' and '{0}-shm', or to create '{0}-shm': copy all files of the database to a folder that \
                 you own, and read the copy",
                path.display()
            )));
        }
        files.freeze().map_err(io)?;
        on_file(path, Access::Frozen, check_version)?;
        let readers = reader_pool(&files.path, READERS, Access::Frozen)?;
        Ok(Self::over(files, None, readers))
    }

    fn over(files: Files, writers: Option<SqlitePool>, readers: SqlitePool) -> Self {
        let (path, locks) = (files.path.clone(), NodeLocks::new(&files.path));
        Self { path, writers, readers, anchors: None, locks, files }
    }
}

/// SQLite opens a read-only file without an error, and even begins to write. Only the first statement that
/// could change a row fails.
fn refuse_read_only(connection: &mut SqliteConnection) -> Result<(), Failure> {
    match write_on(connection, delete_none) {
        Err(error) if error != StoreError::Busy => Err(error.into()),
        _ => Ok(()),
    }
}
