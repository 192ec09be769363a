//! The store: its connections, and how each transaction uses them.

use diesel::PgConnection;

use super::{
    connection::{Checked, Purpose, connect_checked},
    errors::Failure,
    migrations::check_version,
    pool::PgPool,
    session::{Role, Session},
    transaction::{READ_COMMITTED, SNAPSHOT, Turn, again_if_stale, in_turn, once, run},
};
use crate::store::StoreError;

/// Threads of this process that read at length at the same time.
const READERS: u32 = 4;
/// Threads of this process that look up rows at the same time.
const LOOKUPS: u32 = 4;

/// A database on a server, up to date.
pub(in crate::store) struct PostgresStore {
    pub(super) url: String,
    pub(super) session: Session,
    pub(super) short: PgPool,
    readers: PgPool,
    /// Lookups must wait neither for commits nor for exports.
    lookups: PgPool,
}

impl PostgresStore {
    /// See [`crate::store::open`].
    pub(in crate::store) fn open(url: &str, connections: usize) -> Result<Self, StoreError> {
        Self::open_for(Purpose::Write, url, u32::try_from(connections).unwrap_or(u32::MAX))
    }

    /// Opens a database to read only: for a role that may only read, and on a standby.
    pub(in crate::store) fn open_to_read(url: &str) -> Result<Self, StoreError> {
        Self::open_for(Purpose::Read, url, READERS)
    }

    fn open_for(purpose: Purpose, url: &str, connections: u32) -> Result<Self, StoreError> {
        let Checked { mut connection, session } = connect_checked(url, purpose)?;
        check_version(&mut connection, url)?;
        Ok(Self {
            url: url.to_owned(),
            short: PgPool::new(url, connections, session.of(Role::Short))?,
            readers: PgPool::new(url, READERS, session.of(Role::Reader))?,
            lookups: PgPool::new(url, LOOKUPS, session.of(Role::Lookup))?,
            session,
        })
    }

    /// Runs `body` in one transaction that writes. Its error rolls everything back. `body` may run several
    /// times, when other transactions conflict.
    pub(super) fn write<T>(
        &self,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        run(&self.short, READ_COMMITTED, body)
    }

    /// The same, but on one node at a time: the others wait for their turn.
    pub(super) fn write_in_turn<T>(
        &self,
        turn: Turn,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        run(&self.short, &in_turn(turn), body)
    }

    /// Runs `body` on one snapshot of the database.
    pub(super) fn read<T>(
        &self,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        run(&self.readers, SNAPSHOT, body)
    }

    /// Runs `body`, a single short statement, which is a transaction in itself.
    pub(super) fn query<T>(
        &self,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        again_if_stale(&self.short, body)
    }

    /// Runs `body`, short statements that only read, at most once.
    pub(super) fn query_once<T>(
        &self,
        body: impl FnOnce(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        once(&self.short, body)
    }

    /// Runs `body`, a single statement that may take long.
    pub(super) fn long_query<T>(
        &self,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        again_if_stale(&self.readers, body)
    }

    /// Runs `body`, a single statement that finds few rows by an index.
    pub(super) fn lookup<T>(
        &self,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        again_if_stale(&self.lookups, body)
    }

    /// Runs `body`, several such statements, on one snapshot of the database.
    pub(super) fn lookups_at_once<T>(
        &self,
        body: impl FnMut(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        run(&self.lookups, SNAPSHOT, body)
    }
}
