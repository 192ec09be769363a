//! Pools that keep connections.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use diesel::{PgConnection, r2d2::R2D2Connection};
use r2d2::{ManageConnection, NopErrorHandler, Pool, PooledConnection};

use super::{
    connection::connect,
    ledger,
    session::{Role, Session},
};
use crate::{anchors::Anchors, store::StoreError};

/// How long a thread waits for one of this process' connections, a new one included.
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a thread that waits looks why.
const LOOK: Duration = Duration::from_millis(100);

/// Connections of one kind.
pub(super) struct PgPool {
    /// What they are for.
    pub role: Role,
    pool: Pool<Manager>,
    last_error: LastError,
}

/// Why the last attempt to connect failed, for the threads that wait; `None` if it succeeded.
type LastError = Arc<Mutex<Option<StoreError>>>;

/// Opens connections for a pool.
pub(super) struct Manager {
    url: String,
    session: Session,
    /// What each new connection is compared with, because it may lead to another server than the one before.
    anchors: Option<Arc<Anchors>>,
    last_error: LastError,
}

impl PgPool {
    /// A pool of at most `size` connections, opened when they are needed. None is tested at check-out:
    /// one that was lost is noticed where it is used, and replaced.
    pub(super) fn new(
        url: &str,
        size: u32,
        session: Session,
        anchors: Option<Arc<Anchors>>,
    ) -> Result<Self, StoreError> {
        let (role, last_error) = (session.role, LastError::default());
        let manager = Manager { url: url.to_owned(), session, anchors, last_error: Arc::clone(&last_error) };
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .max_lifetime(None)
            .idle_timeout(Some(Duration::from_secs(600)))
            .connection_timeout(CHECKOUT_TIMEOUT)
            // The thread that waits for a connection gets the error, so logging it once a second adds nothing.
            .error_handler(Box::new(NopErrorHandler))
            .build(manager)
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { role, pool, last_error })
    }

    /// How many connections there are at most.
    pub(super) fn size(&self) -> usize {
        self.pool.max_size() as usize
    }

    /// One of them, when one is free.
    pub(super) fn checkout(&self) -> Result<PooledConnection<Manager>, StoreError> {
        for _ in 0..CHECKOUT_TIMEOUT.as_millis() / LOOK.as_millis() {
            if let Ok(connection) = self.pool.get_timeout(LOOK) {
                return Ok(connection);
            }
            // The server answers, so waiting longer does not help.
            if let Some(error @ StoreError::Behind(_)) = self.last_error() {
                return Err(error);
            }
        }
        Err(StoreError::Unavailable(match self.last_error() {
            Some(StoreError::Unavailable(text) | StoreError::Denied(text)) => text,
            Some(error) => error.to_string(),
            None => format!(
                "no connection within {} s: the server, or a pooler in front of it, has none free",
                CHECKOUT_TIMEOUT.as_secs()
            ),
        }))
    }

    fn last_error(&self) -> Option<StoreError> {
        self.last_error.lock().ok().and_then(|last| last.clone())
    }
}

impl ManageConnection for Manager {
    type Connection = PgConnection;
    type Error = StoreError;

    fn connect(&self) -> Result<PgConnection, StoreError> {
        let result = connect(&self.url, &self.session).and_then(|mut connection| {
            if let Some(anchors) = &self.anchors {
                ledger::compare(&mut connection, anchors)?;
            }
            Ok(connection)
        });
        if let Ok(mut last) = self.last_error.lock() {
            *last = result.as_ref().err().cloned();
        }
        result
    }

    fn is_valid(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        connection.ping().map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    fn has_broken(&self, connection: &mut PgConnection) -> bool {
        std::thread::panicking() || connection.is_broken()
    }
}
