//! Layer 2, the databases: one door, [`Store`], which is the sum of one trait per subject, and its
//! implementations. Diesel is used here and nowhere else; the names of cryptography are not known here.

mod anchored;
mod door;
mod error;
mod postgres;
mod schema; // as diesel prints it, which tests/sqlite/migrations.rs keeps true
mod sql;
mod sqlite;
mod url;

pub use anchored::is_anchored;
pub use door::{
    AcceptVerdict, Acceptance, Access, AddKeyVerdict, AddSessionVerdict, AddTokenVerdict, AddWebhookVerdict,
    AdvanceVerdict, Arrival, Arrivals, Audit, AuditRow, BarredKeys, BatchPage, BatchSummary, BatchesByState,
    Batching, CertificatesVerdict, Claim, ClaimVerdict, ClaimWebhookVerdict, ClaimedWebhook, Committing,
    Credential, Feed, FeedBatch, FeedEnd, Heads, HealVerdict, Healing, Intake, Inventory, KeyLimitsVerdict,
    KeyOrder, KeyPage, KeyPool, KeyRow, KeyStateVerdict, KeysByState, Leasing, LedgerRow, Ledgers, Listener,
    Lookup, LostRecord, NewCertificates, NewKey, NewRecord, NewSession, NewToken, NewWebhook, News, NodeRow,
    Nodes, OldestUnsigned, OnConflict, OpenBatches, OpenedBatches, OutletRow, Outlets, PayloadVisitor,
    Reading, Reclaimed, RecordName, RecordRow, RefusedRow, RenewVerdict, Reseal, ResealVerdict,
    ResealWebhooksVerdict, ResetTo, ResetVerdict, Restores, RetryName, RevokeTokenVerdict,
    RotateTokenVerdict, Rotation, SealedLedgerKey, SessionOrigin, Sessions, Settlement, SignedRow, Status,
    Store, StoredToken, StoredWebhook, TokenRow, Wanted, WebhookRow, Webhooks,
};
pub use error::StoreError;
pub use postgres::classify_message as postgres_error;
pub use sqlite::classify_message as sqlite_error;
pub use url::DatabaseUrl;

use crate::anchors::AnchorAddress;
pub use crate::domain::{BatchRow, StoredKey, promises::Counts};

use std::sync::Arc;

/// Opens a database that exists and is up to date. It never makes one, and changes nothing in it (except that
/// it switches an SQLite file to write-ahead logging).
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::NotADatabase`], [`StoreError::NewerSchema`],
/// [`StoreError::OlderSchema`], [`StoreError::ReadOnly`], [`StoreError::UnsafeSqlite`],
/// [`StoreError::BadUrl`] for a server, or a way to it, that would break a promise, ..
pub fn open(url: &DatabaseUrl) -> Result<Arc<dyn Store>, StoreError> {
    open_with(url, CONNECTIONS, &[])
}

/// As [`open`], with this many connections to a server for short transactions (SQLite has one), and with anchors, which are
/// made if they are missing. Each commit writes them, and a database that is older than they say is not opened.
///
/// # Errors
/// As [`open`]; [`StoreError::Behind`], [`StoreError::AnchorAway`], [`StoreError::BadAnchor`].
pub fn open_with(
    url: &DatabaseUrl,
    connections: usize,
    anchors: &[AnchorAddress],
) -> Result<Arc<dyn Store>, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(Arc::new(sqlite::SqliteStore::open(path, anchors)?)),
        DatabaseUrl::Postgres(url) => Ok(Arc::new(postgres::PostgresStore::open(url, connections, anchors)?)),
    }
}

/// Opens a database that exists and is up to date, to read it. This needs no right to write, and never waits
/// for writers. A server may be a standby.
///
/// # Errors
/// As [`open`], except [`StoreError::ReadOnly`].
pub fn open_to_read(url: &DatabaseUrl) -> Result<Arc<dyn Store>, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(Arc::new(sqlite::SqliteStore::open_to_read(path)?)),
        DatabaseUrl::Postgres(url) => Ok(Arc::new(postgres::PostgresStore::open_to_read(url)?)),
    }
}

/// Opens a database that exists and is up to date, though it may be halted, to say what becomes of what it lacks: see
/// [`Restores`]. Nothing can be signed with it.
///
/// # Errors
/// As [`open`].
pub fn open_to_restore(url: &DatabaseUrl) -> Result<Arc<dyn Restores>, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(Arc::new(sqlite::SqliteStore::open_to_restore(path)?)),
        DatabaseUrl::Postgres(url) => Ok(Arc::new(postgres::PostgresStore::open_to_restore(url)?)),
    }
}

/// The default number of connections to a server for short transactions: a lease, a commit and a heartbeat need
/// not wait for each other.
pub const CONNECTIONS: usize = 4;

/// Makes an SQLite file if there is none (mode 0600), runs the migrations that the database lacks, and returns
/// their names. A database that holds something else is refused.
///
/// # Errors
/// [`StoreError::NotADatabase`], [`StoreError::NewerSchema`], [`StoreError::ReadOnly`], ..
pub fn migrate(url: &DatabaseUrl) -> Result<Vec<String>, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => sqlite::migrate(path),
        DatabaseUrl::Postgres(url) => postgres::migrate(url),
    }
}

/// Reverts the last migration and returns its name. Reverting the first drops every record.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Refused`] when there is nothing to revert, ..
pub fn revert(url: &DatabaseUrl) -> Result<String, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => sqlite::revert(path),
        DatabaseUrl::Postgres(url) => postgres::revert(url),
    }
}

/// Sets [`Intake::payload_limit`]. Stored records stay, even larger ones.
///
/// # Errors
/// As [`open`]; [`StoreError::Busy`] when others write for too long.
pub fn set_payload_limit(url: &DatabaseUrl, bytes: u32) -> Result<(), StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => sqlite::set_payload_limit(path, bytes),
        DatabaseUrl::Postgres(url) => postgres::set_payload_limit(url, bytes),
    }
}
