//! Transactions: how each begins and ends, and what its end can mean.

use diesel::{
    SqliteConnection,
    connection::{AnsiTransactionManager, TransactionManager},
    r2d2::{ConnectionManager, PooledConnection},
};

use super::{
    connection::SqlitePool,
    errors::{Failure, classify, classify_commit},
};
use crate::store::StoreError;

/// Names the file in an error, because SQLite does not.
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
/// What if we die here? Before the COMMIT nothing happened, and SQLite's recovery drops what the log holds of
/// it. After the COMMIT all of it happened. Within the COMMIT it is one of the two, and only reading back can
/// tell which.
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
pub(super) fn read_on<T>(
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

/// SQLite may have rolled back by itself (disk full), and then answers an error to this. If the transaction is
/// still open, the pool notices that and drops the connection.
fn roll_back(connection: &mut SqliteConnection) {
    let _ = AnsiTransactionManager::rollback_transaction(connection);
}

pub(super) fn checkout(
    pool: &SqlitePool,
) -> Result<PooledConnection<ConnectionManager<SqliteConnection>>, StoreError> {
    pool.get().map_err(|error| StoreError::Unavailable(error.to_string()))
}
