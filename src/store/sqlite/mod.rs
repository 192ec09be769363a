//! SQLite: one file, one writing connection and several that read.

mod audit;
mod batches;
mod claim;
mod commit;
mod connection;
mod errors;
mod files;
mod keys;
mod leases;
mod limit;
mod locks;
mod look;
mod migrations;
mod nodes;
mod progress;
mod reading;
mod records;
#[cfg(test)]
mod tests;
mod transaction;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    AddKeyVerdict, BatchRow, Counts, Inventory, KeyRow, KeyStateVerdict, NewKey, NewRecord, OpenBatches,
    OpenedBatches, Reclaimed, RenewVerdict, SignedRow, Status, Store, StoreError, StoredKey,
};
use crate::domain::{
    BatchId, CommitVerdict, Epoch, InsertVerdict, KeyId, KeyState, Lease, NodeId, Outcome, RecordId, Runs,
    Scheme, SignedBatch,
};
pub use errors::classify_message;

use connection::{Access, SqlitePool, prepare_writer, reader_pool, writer_pool};
use files::Files;
pub(super) use limit::set_payload_limit;
pub(super) use migrations::{migrate, revert};

/// Threads of this process that read at the same time.
const READERS: u32 = 4;

/// A database in a file, up to date. All clones of a path are the same file, so that lock files beside it
/// are found by all processes.
pub(super) struct SqliteStore {
    path: PathBuf,
    /// `None` for a database that was opened to be read.
    writers: Option<SqlitePool>,
    readers: SqlitePool,
    locks: locks::NodeLocks,
    files: Files, // drops last, after every connection
}

impl SqliteStore {
    /// See [`super::open`].
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        migrations::patiently(|| {
            migrations::on_file(path, Access::Write, |connection| {
                migrations::check_version(connection)?;
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

    /// See [`super::open_to_read`]. It takes no lock that a writer could hold.
    pub(super) fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        match migrations::patiently(|| Self::open_beside_writers(path)) {
            Err(StoreError::ReadOnly(_)) => Self::open_frozen(path),
            opened => opened,
        }
    }

    /// As any reader of a write-ahead log does, who needs a log and its index, and makes them if need be.
    fn open_beside_writers(path: &Path) -> Result<Self, StoreError> {
        migrations::on_file(path, Access::Read, migrations::check_version)?;
        let mut files = Files::claim(&canonical(path)?)?;
        let readers = reader_pool(&files.path, READERS, Access::Read)?;
        // Not before it has read has SQLite opened the log.
        let reads = transaction::checkout(&readers).and_then(|mut connection| {
            migrations::check_version(&mut connection).map_err(|failure| failure.0)
        });
        reads.map_err(|error| transaction::with_path(error, &files.path))?;
        files.attach()?;
        Ok(Self::over(files, None, readers))
    }

    /// For somebody who may not make those: the file alone, as long as there is nothing beside it, and it does
    /// not change.
    fn open_frozen(path: &Path) -> Result<Self, StoreError> {
        let mut files = Files::claim(&canonical(path)?)?;
        let io = |error: std::io::Error| StoreError::Unavailable(error.to_string());
        if !files.is_log_empty().map_err(io)? {
            return Err(StoreError::Unreadable(format!(
                "the database '{0}' cannot be read without its log '{0}-wal', which needs the right to read that and \
                 '{0}-shm', or to make '{0}-shm': copy all files of the database to a folder of your own, and read \
                 it there",
                path.display()
            )));
        }
        files.freeze().map_err(io)?;
        migrations::on_file(path, Access::Frozen, migrations::check_version)?;
        let readers = reader_pool(&files.path, READERS, Access::Frozen)?;
        Ok(Self::over(files, None, readers))
    }

    fn over(files: Files, writers: Option<SqlitePool>, readers: SqlitePool) -> Self {
        let (path, locks) = (files.path.clone(), locks::NodeLocks::new(&files.path));
        Self { path, writers, readers, locks, files }
    }
}

fn canonical(path: &Path) -> Result<PathBuf, StoreError> {
    path.canonicalize().map_err(|error| StoreError::Unavailable(error.to_string()))
}

impl Drop for SqliteStore {
    /// SQLite copies the log into the database when its last connection closes. Where the files are not what
    /// they were, it must not: the connections are left to the end of the process.
    fn drop(&mut self) {
        if self.files.is_ended() {
            std::mem::forget((self.writers.clone(), self.readers.clone()));
        }
    }
}

/// SQLite opens a file that it may only read without a word, and even begins to write; the first
/// statement that could change a row tells.
fn refuse_read_only(connection: &mut diesel::SqliteConnection) -> Result<(), errors::Failure> {
    match transaction::write_on(connection, nodes::delete_none) {
        Err(error) if error != StoreError::Busy => Err(error.into()),
        _ => Ok(()),
    }
}

impl Store for SqliteStore {
    fn open_batches(&self, request: OpenBatches) -> Result<OpenedBatches, StoreError> {
        batches::open_batches(self, request)
    }

    fn lease(&self, node: NodeId, scheme: Scheme, limit: usize) -> Result<Vec<Lease>, StoreError> {
        leases::lease(self, node, scheme, limit)
    }

    fn read_payloads(
        &self,
        records: &Runs,
        visit: &mut dyn FnMut(RecordId, &[u8]),
    ) -> Result<(), StoreError> {
        records::read_payloads(self, records, visit)
    }

    fn commit(&self, batches: &[SignedBatch]) -> Result<Vec<CommitVerdict>, StoreError> {
        commit::commit(self, batches)
    }

    fn outcomes(&self, sent: &[(BatchId, Epoch)]) -> Result<Vec<Outcome>, StoreError> {
        commit::outcomes(self, sent)
    }

    fn release(&self, leases: &[(BatchId, Epoch)]) -> Result<u64, StoreError> {
        leases::release(self, leases)
    }

    fn inventory(&self, node: NodeId, stored: &[(BatchId, Epoch)]) -> Result<Inventory, StoreError> {
        leases::inventory(self, node, stored)
    }

    fn register_node(&self, name: &str, ttl: Duration) -> Result<NodeId, StoreError> {
        nodes::register(self, name, ttl)
    }

    fn renew_node(&self, node: NodeId, ttl: Duration) -> Result<RenewVerdict, StoreError> {
        nodes::renew(self, node, ttl)
    }

    fn remove_node(&self, node: NodeId) -> Result<u64, StoreError> {
        nodes::remove(self, node)
    }

    fn reclaim(&self, me: Option<NodeId>, grace: Duration) -> Result<Vec<Reclaimed>, StoreError> {
        nodes::reclaim(self, me, grace)
    }

    fn add_key(&self, key: &NewKey) -> Result<AddKeyVerdict, StoreError> {
        keys::add(self, key)
    }

    fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        keys::keys(self)
    }

    fn stored_key(&self, key: KeyId) -> Result<Option<StoredKey>, StoreError> {
        keys::stored(self, key)
    }

    fn set_key_state(
        &self,
        key: KeyId,
        state: KeyState,
        reason: Option<&str>,
    ) -> Result<KeyStateVerdict, StoreError> {
        keys::set_state(self, key, state, reason)
    }

    fn insert_records(&self, records: &[NewRecord<'_>]) -> Result<Vec<InsertVerdict>, StoreError> {
        records::insert(self, records)
    }

    fn payload_limit(&self) -> Result<u32, StoreError> {
        limit::payload_limit(self)
    }

    fn status(&self) -> Result<Status, StoreError> {
        progress::status(self)
    }

    fn batches(&self, after: BatchId, limit: usize) -> Result<Vec<BatchRow>, StoreError> {
        reading::batches(self, after, limit)
    }

    fn batch_of(&self, record: RecordId) -> Result<Option<BatchRow>, StoreError> {
        reading::batch_of(self, record)
    }

    fn read_signed(&self, records: &Runs, visit: &mut dyn FnMut(SignedRow<'_>)) -> Result<(), StoreError> {
        reading::read_signed(self, records, visit)
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        progress::counts(self)
    }

    fn audit(&self) -> Result<Vec<String>, StoreError> {
        audit::audit(self)
    }
}
