//! The store: its connections, and how each transaction uses them.

use std::path::PathBuf;

use diesel::{SqliteConnection, connection::SimpleConnection, sql_types::BigInt};

use super::{
    connection::SqlitePool,
    errors::{Failure, classify},
    files::Files,
    ledger,
    locks::NodeLocks,
    transaction::{checkout, read_on, with_path, write_on},
};
use crate::{
    anchors::{Anchors, Permit},
    store::{
        Listener, News, StoreError,
        anchored::{permit, settle},
        sql::{Growing, Sql, halt, row},
    },
};

/// A database in a file, up to date. The path is without symbolic links, so that all processes find the lock
/// files beside it.
pub(in crate::store) struct SqliteStore {
    pub(super) path: PathBuf,
    /// `None` for a database that was opened to be read.
    pub(super) writers: Option<SqlitePool>,
    pub(super) readers: SqlitePool,
    /// There if the database was opened to add to its ledger.
    pub(super) anchors: Option<Anchors>,
    pub(super) locks: NodeLocks,
    pub(super) files: Files, // drops last, after every connection
}

impl SqliteStore {
    /// Runs `body` in one transaction that writes. Its error rolls everything back. When this returns, the
    /// changes are on the disk.
    pub(super) fn write<T>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.write_with("PRAGMA synchronous = FULL", body)
    }

    /// The same without waiting for the disk: a power cut may undo it, unless a later [`write`](Self::write)
    /// has returned.
    ///
    /// Only for forming, leasing and releasing batches. All processes that know of such a batch run on this
    /// machine, and die with it. Nothing that they signed was stored, because storing it would have made the
    /// lease durable too. At one record per batch this saves two thirds of the waiting.
    pub(super) fn write_unsynced<T>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.write_with("PRAGMA synchronous = NORMAL", body)
    }

    /// Runs `body` in one transaction that writes, and may add to the ledger. The anchors know what is added before the COMMIT.
    pub(super) fn write_in_ledger<T>(
        &self,
        body: impl FnOnce(&mut SqliteConnection, &mut Growing) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let Some(anchors) = &self.anchors else {
            return Err(StoreError::ReadOnly(self.path.display().to_string()));
        };
        let mut pending = None;
        let result = self.write(|connection| {
            let expected = anchors.expected();
            let mut ledger = ledger::read(connection)?;
            let permit = permit(expected, &ledger, |size| ledger::past(connection, size))?;
            let value = body(connection, &mut ledger)?;
            if !ledger.added().is_empty() {
                ledger::store_end(connection, &ledger)?;
                pending = Some(permit.intend(ledger.added()).map_err(StoreError::from)?);
            }
            Ok(value)
        });
        settle(pending, &result);
        self.halting(result)
    }

    /// Halts the ledger if the database is not what its anchors say, so that other processes notice it, too. It is compared
    /// anew, because another copy may have been put in its place since.
    pub(super) fn halting<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let (Err(StoreError::Behind(_)), Some(anchors)) = (&result, &self.anchors) {
            let expected = anchors.expected();
            let halted = self.write(|connection| {
                let ledger = ledger::read(connection)?;
                match permit(expected, &ledger, |size| ledger::past(connection, size)) {
                    Err(Failure(StoreError::Behind(why))) => halt(connection, &why, anchors.reach()),
                    compared => compared.map(drop),
                }
            });
            if let Err(error) = halted {
                log::warn!("the ledger could not be halted: {error}");
            }
        }
        result
    }

    /// Compares the database with its anchors.
    pub(super) fn compare(&self) -> Result<(), StoreError> {
        let Some(anchors) = &self.anchors else { return Ok(()) };
        let expected = anchors.expected();
        let result = self.read(|connection| {
            let ledger = ledger::read(connection)?;
            permit(expected, &ledger, |size| ledger::past(connection, size)).map(Permit::saw)
        });
        self.halting(result)
    }

    /// Each transaction sets how durable it is, and does not rely on what an earlier one set.
    fn write_with<T>(
        &self,
        synchronous: &str,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let Some(writers) = &self.writers else {
            return Err(StoreError::ReadOnly(self.path.display().to_string()));
        };
        let mut connection = checkout(writers)?;
        connection.batch_execute(synchronous).map_err(|error| classify(&error))?;
        // The files are checked before the COMMIT, so that nothing is stored where nobody will look for it, and
        // after it, because the file may have been moved in between.
        let result = write_on(&mut connection, |connection| {
            let value = body(connection)?;
            self.files.check().map_err(|end| self.files.refuse(end))?;
            Ok(value)
        });
        drop(connection);
        match (self.look_again(), result) {
            (Err(StoreError::Unavailable(text)), Ok(_)) => Err(StoreError::UnknownOutcome(text)),
            (Err(error @ StoreError::Misplaced(_)), _) | (Err(error), Ok(_)) => Err(error),
            (_, result) => self.named(result),
        }
    }

    /// Checks that other processes find what was stored or read by the same name. If they do not, the log is
    /// copied into the file where that is safe.
    fn look_again(&self) -> Result<(), StoreError> {
        self.files.check().map_err(|end| self.files.end(end, || self.save_log()))
    }

    /// Copies the log into the file and empties it, so that the file holds all that was stored, wherever it is
    /// now.
    fn save_log(&self) -> bool {
        let Some(mut connection) = self.writers.as_ref().and_then(|writers| writers.try_get()) else {
            return false;
        };
        matches!(row::<CopyLog, (i64, i64, i64), _>(&mut connection, &[]), Ok(Some((0, log, copied))) if log == copied)
    }

    /// Runs `body` on one snapshot of the database.
    pub(super) fn read<T>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let result = read_on(&mut *checkout(&self.readers)?, body);
        self.shown(result)
    }

    /// Runs `body`, a single statement, which is a snapshot in itself.
    pub(super) fn query<T>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let result = body(&mut *checkout(&self.readers)?).map_err(|failure| failure.0);
        self.shown(result)
    }

    fn shown<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        match (self.look_again(), result) {
            (Err(error @ StoreError::Misplaced(_)), _) | (Err(error), Ok(_)) => Err(error),
            (_, result) => self.named(result),
        }
    }

    fn named<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.map_err(|error| with_path(error, &self.path))
    }
}

impl Drop for SqliteStore {
    /// SQLite copies the log into the database when its last connection closes. If something happened to the
    /// files, it must not do so: then the connections stay open until the process ends.
    fn drop(&mut self) {
        if self.files.is_ended() {
            std::mem::forget((self.writers.clone(), self.readers.clone()));
        }
    }
}

impl News for SqliteStore {
    /// SQLite sends no notifications to other processes.
    fn listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError> {
        Ok(None)
    }

    fn feed_listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError> {
        Ok(None)
    }
}

/// Returns whether it was blocked, how many pages the log has, and how many of them are copied.
struct CopyLog;
impl Sql for CopyLog {
    const TEXT: &'static str = "PRAGMA wal_checkpoint(TRUNCATE)";
    type Columns = (BigInt, BigInt, BigInt);
}
