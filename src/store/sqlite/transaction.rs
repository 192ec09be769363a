//! Transactions: how each begins and ends, and what its end can mean.

use diesel::{
    SqliteConnection,
    connection::{AnsiTransactionManager, TransactionManager},
    r2d2::{ConnectionManager, PooledConnection},
};

use super::{
    SqliteStore,
    connection::SqlitePool,
    errors::{Failure, classify, classify_commit},
};
use crate::store::StoreError;

type Begin = &'static str;

/// Takes the write lock at once: upgrading from read to write would fail without waiting.
const WRITE: Begin = "BEGIN IMMEDIATE";
/// One snapshot for several statements.
const READ: Begin = "BEGIN DEFERRED";

impl SqliteStore {
    /// Runs `body` in one transaction that writes. Its error rolls everything back.
    pub(super) fn write<T>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.named(transaction(&mut *checkout(&self.writers)?, WRITE, body))
    }

    /// Runs `body` on one snapshot of the database.
    pub(super) fn read<T>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.named(transaction(&mut *checkout(&self.readers)?, READ, body))
    }

    /// Runs `body`, a single statement, which is a snapshot in itself.
    pub(super) fn query<T>(
        &self,
        body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.named(body(&mut *checkout(&self.readers)?).map_err(|failure| failure.0))
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

/// A transaction that writes, on a connection outside the pool.
pub(super) fn write_on<T>(
    connection: &mut SqliteConnection,
    body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    transaction(connection, WRITE, body)
}

/// What if we die here? Before the COMMIT: nothing happened, SQLite's recovery drops what the log
/// holds of it. After: all of it happened. Within: one of the two, which only reading back can tell.
fn transaction<T>(
    connection: &mut SqliteConnection,
    begin: Begin,
    body: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    AnsiTransactionManager::begin_transaction_sql(connection, begin).map_err(|error| classify(&error))?;
    match body(connection) {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(connection)
                .map_err(|error| classify_commit(&error))?;
            Ok(value)
        }
        Err(failure) => {
            // SQLite may have rolled back by itself (disk full), and then answers an error to this. If
            // it is still in the transaction, the pool sees that and drops the connection.
            let _ = AnsiTransactionManager::rollback_transaction(connection);
            Err(failure.0)
        }
    }
}

fn checkout(pool: &SqlitePool) -> Result<PooledConnection<ConnectionManager<SqliteConnection>>, StoreError> {
    pool.get().map_err(|error| StoreError::Unavailable(error.to_string()))
}
