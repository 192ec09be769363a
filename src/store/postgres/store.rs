//! The store: its connections, and how each transaction uses them.

use std::sync::Arc;

use diesel::PgConnection;

use super::{
    connection::{Checked, Purpose, connect_checked},
    errors::Failure,
    ledger,
    migrations::check_version,
    pool::PgPool,
    session::{Role, Session},
    transaction::{READ_COMMITTED, SNAPSHOT, Turn, again_if_stale, in_turn, once, run},
};
use crate::{
    anchors::{AnchorAddress, Anchors, Pending},
    domain::ledger::Entry,
    store::{
        StoreError,
        anchored::{self, permit, settle},
    },
};

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
    /// There if the database was opened to add to its ledger.
    pub(super) anchors: Option<Arc<Anchors>>,
}

impl PostgresStore {
    /// See [`crate::store::open`].
    pub(in crate::store) fn open(
        url: &str,
        connections: usize,
        anchors: &[AnchorAddress],
    ) -> Result<Self, StoreError> {
        Self::open_for(Purpose::Write, url, u32::try_from(connections).unwrap_or(u32::MAX), Some(anchors))
    }

    /// See [`crate::store::open_to_restore`].
    pub(in crate::store) fn open_to_restore(url: &str) -> Result<Self, StoreError> {
        Self::open_for(Purpose::Write, url, 1, None)
    }

    /// Opens a database to read only: for a role that may only read, and on a standby.
    pub(in crate::store) fn open_to_read(url: &str) -> Result<Self, StoreError> {
        Self::open_for(Purpose::Read, url, READERS, None)
    }

    fn open_for(
        purpose: Purpose,
        url: &str,
        connections: u32,
        anchors: Option<&[AnchorAddress]>,
    ) -> Result<Self, StoreError> {
        let Checked { mut connection, session } = connect_checked(url, purpose)?;
        check_version(&mut connection, url)?;
        let anchors = match anchors {
            None => None,
            Some(anchors) => {
                let ledger = ledger::read(&mut connection)?;
                ledger::mark(&mut connection, ledger.origin())?;
                let halt = |why: &str| ledger::halt(&mut connection, why, None);
                let anchors = Arc::new(anchored::open(anchors, &ledger, halt)?);
                ledger::compare(&mut connection, &anchors)?;
                Some(anchors)
            }
        };
        Ok(Self {
            url: url.to_owned(),
            short: PgPool::new(url, connections, session.of(Role::Short), anchors.clone())?,
            readers: PgPool::new(url, READERS, session.of(Role::Reader), None)?,
            lookups: PgPool::new(url, LOOKUPS, session.of(Role::Lookup), None)?,
            anchors,
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

    /// Runs `body` in one transaction that writes, and adds the entries that it returns to the ledger, as the last step,
    /// because others wait there. The anchors know what is added before the COMMIT.
    pub(super) fn write_in_ledger<T>(
        &self,
        begin: &str,
        mut body: impl FnMut(&mut PgConnection) -> Result<(T, Vec<Entry>), Failure>,
    ) -> Result<T, StoreError> {
        let Some(anchors) = &self.anchors else {
            return Err(StoreError::Unusable("it was opened to be read".to_owned()));
        };
        let mut pending: Option<Pending<'_>> = None;
        let result = run(&self.short, begin, |connection| {
            // Only what was rolled back is tried again.
            pending.take().into_iter().for_each(Pending::rolled_back);
            let (value, entries) = body(connection)?;
            if entries.is_empty() {
                return Ok(value);
            }
            let expected = anchors.expected();
            let mut ledger = ledger::hold(connection)?;
            let permit = permit(expected, &ledger, |size| ledger::past(connection, size))?;
            entries.into_iter().for_each(|entry| _ = ledger.add(entry));
            ledger::store(connection, &ledger)?;
            pending = Some(permit.intend(ledger.added()).map_err(StoreError::from)?);
            Ok(value)
        });
        settle(pending, &result);
        self.halting(result)
    }

    /// Halts the ledger if the database is not what its anchors say. It is compared anew, because the connection may lead to
    /// another server.
    fn halting<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let (Err(StoreError::Behind(_)), Some(anchors)) = (&result, &self.anchors)
            && let Ok(mut connection) = self.short.checkout()
        {
            ledger::compare(&mut connection, anchors)?;
        }
        result
    }

    /// Compares the database with its anchors.
    pub(super) fn compare(&self) -> Result<(), StoreError> {
        let Some(anchors) = &self.anchors else { return Ok(()) };
        self.query(|connection| Ok(ledger::compare(connection, anchors)?))
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
