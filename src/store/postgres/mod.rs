//! PostgreSQL: one server, any number of nodes.

mod audit;
mod batches;
mod commit;
mod connection;
mod errors;
mod expected;
mod gaps;
mod holders;
mod keys;
mod leases;
mod limit;
mod listener;
mod migrations;
mod nodes;
mod pool;
mod progress;
mod reading;
mod records;
mod rejection;
mod scratch;
mod session;
mod startup;
mod tables;
mod transaction;

use std::time::Duration;

use super::{
    AddKeyVerdict, BatchRow, Counts, Inventory, KeyRow, KeyStateVerdict, Listener, NewKey, NewRecord,
    OpenBatches, OpenedBatches, Reclaimed, RenewVerdict, SignedRow, Status, Store, StoreError, StoredKey,
};
use crate::domain::{
    BatchId, CommitVerdict, Epoch, InsertVerdict, KeyId, KeyState, Lease, NodeId, Outcome, RecordId, Runs,
    Scheme, SignedBatch,
};
use connection::{Checked, Purpose, connect_checked};
pub use errors::classify_message;
pub(super) use limit::set_payload_limit;
pub(super) use migrations::{migrate, revert};
use pool::PgPool;
pub use scratch::Scratch;
use session::{Role, Session};

/// Threads of this process that read at length at the same time.
const READERS: u32 = 4;

/// A database on a server, up to date and writable.
pub(super) struct PostgresStore {
    url: String,
    session: Session,
    short: PgPool,
    readers: PgPool,
}

impl PostgresStore {
    /// See [`super::open`].
    pub(super) fn open(url: &str, connections: usize) -> Result<Self, StoreError> {
        Self::open_for(Purpose::Write, url, u32::try_from(connections).unwrap_or(u32::MAX))
    }

    /// To look only: for a role that may only read, and on a standby.
    pub(super) fn open_to_read(url: &str) -> Result<Self, StoreError> {
        Self::open_for(Purpose::Read, url, READERS)
    }

    fn open_for(purpose: Purpose, url: &str, connections: u32) -> Result<Self, StoreError> {
        let Checked { mut connection, session } = connect_checked(url, purpose)?;
        migrations::check_version(&mut connection, url)?;
        Ok(Self {
            url: url.to_owned(),
            short: PgPool::new(url, connections, session.of(Role::Short))?,
            readers: PgPool::new(url, READERS, session.of(Role::Reader))?,
            session,
        })
    }
}

impl Store for PostgresStore {
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

    fn connections(&self) -> usize {
        self.short.size()
    }

    fn listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError> {
        Ok(Some(Box::new(listener::PostgresListener::new(&self.url, &self.session)?)))
    }
}
