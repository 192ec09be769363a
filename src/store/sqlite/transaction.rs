//! Transactions: how each begins and ends, and what its end can mean.

use diesel::{
    SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    r2d2::{ConnectionManager, PooledConnection},
};

use diesel::sql_types::BigInt;

use super::{
    SqliteStore,
    connection::SqlitePool,
    errors::{Failure, classify, classify_commit},
};
use crate::store::StoreError;
use crate::store::sql::{Sql, row};

impl SqliteStore {
    /// Runs `body` in one transaction that writes. Its error rolls everything back. What it answers is
    /// on the disk.
    pub(super) fn write<T>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.write_with("PRAGMA synchronous = FULL", body)
    }

    /// The same without waiting for the disk: a power cut may undo it, though nothing after it that
    /// [`write`](Self::write) has answered since.
    ///
    /// Only for what depends on nobody's memory. All processes that know of a batch that was formed or
    /// leased run on this host, and are gone with it; nothing they signed was stored, since storing it
    /// would have made the lease durable too. At one record per batch this saves two thirds of the
    /// waiting.
    pub(super) fn write_unsynced<T>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.write_with("PRAGMA synchronous = NORMAL", body)
    }

    /// Each transaction says for itself how durable it is, and relies on none before it.
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
        // Before the COMMIT, so that nothing is stored where nobody will look for it; and after it, because the
        // file may have been moved meanwhile.
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

    /// Whether what was stored or read is what others find by the same name. When it is not, what the log
    /// holds is saved into the file, where that hurts nobody.
    fn look_again(&self) -> Result<(), StoreError> {
        self.files.check().map_err(|end| self.files.end(end, || self.save_log()))
    }

    /// The file takes all that was stored with it, wherever it is now, and its log is empty.
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

/// Says which file it was, which SQLite does not.
pub(super) fn with_path(error: StoreError, path: &std::path::Path) -> StoreError {
    let path = path.display().to_string();
    match error {
        StoreError::ReadOnly(_) => StoreError::ReadOnly(path),
        StoreError::NotADatabase(_) => StoreError::NotADatabase(path),
        error => error,
    }
}

/// One transaction that writes. It takes the write lock at once: upgrading from read to write would
/// fail without waiting.
///
/// What if we die here? Before the COMMIT: nothing happened, SQLite's recovery drops what the log
/// holds of it. After: all of it happened. Within: one of the two, which only reading back can tell.
pub(super) fn write_on<T>(
    connection: &mut SqliteConnection,
    body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    begin(connection, "BEGIN IMMEDIATE")?;
    match body(connection) {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(connection)
                .map_err(|error| classify_commit(&error))?;
            Ok(value)
        }
        Err(failure) => {
            roll_back(connection);
            Err(failure.0)
        }
    }
}

/// One snapshot for several statements.
fn read_on<T>(
    connection: &mut SqliteConnection,
    body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    begin(connection, "BEGIN DEFERRED")?;
    let result = body(connection).map_err(|failure| failure.0);
    roll_back(connection);
    result
}

fn begin(connection: &mut SqliteConnection, sql: &str) -> Result<(), StoreError> {
    AnsiTransactionManager::begin_transaction_sql(connection, sql).map_err(|error| classify(&error))
}

/// SQLite may have rolled back by itself (disk full), and then answers an error to this. Should it
/// still be in the transaction, the pool sees that and drops the connection.
fn roll_back(connection: &mut SqliteConnection) {
    let _ = AnsiTransactionManager::rollback_transaction(connection);
}

pub(super) fn checkout(
    pool: &SqlitePool,
) -> Result<PooledConnection<ConnectionManager<SqliteConnection>>, StoreError> {
    pool.get().map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Answers whether it was hindered, and how many pages of the log there are, and are copied.
struct CopyLog;
impl Sql for CopyLog {
    const TEXT: &'static str = "PRAGMA wal_checkpoint(TRUNCATE)";
    type Columns = (BigInt, BigInt, BigInt);
}
