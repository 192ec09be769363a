//! Lookups: one record, batch or key, or a page of them, for callers that serve many.

use std::time::Duration;

use super::KeyRow;
use crate::{
    domain::{BatchId, BatchState, Epoch, Fingerprint, KeyId, KeyState, NodeId, RecordId, Runs, Scheme},
    store::StoreError,
};

/// Committed rows without any secret, each found by an index, so that no lookup becomes slower because more is
/// signed. Nothing here changes the database, and nothing waits for writers. A row that cannot be understood is
/// [`StoreError::Corrupt`].
pub trait Lookup: Send + Sync {
    /// One record; `None` if there is no such record.
    fn record(&self, name: RecordName<'_>, wanted: Wanted) -> Result<Option<RecordRow>, StoreError>;

    /// The record that has waited longest for its signature; `None` when all records are signed.
    fn oldest_unsigned(&self) -> Result<Option<OldestUnsigned>, StoreError>;

    /// One batch and its records; `None` if there is no such batch.
    fn batch(&self, batch: BatchId) -> Result<Option<(BatchSummary, Runs)>, StoreError>;

    /// Batches, the newest first.
    fn latest_batches(&self, page: BatchPage) -> Result<Vec<BatchSummary>, StoreError>;

    /// The key with this fingerprint; `None` if there is no such key.
    fn key_named(&self, fingerprint: &Fingerprint) -> Result<Option<KeyRow>, StoreError>;

    /// Keys in an order.
    fn key_page(&self, page: KeyPage) -> Result<Vec<KeyRow>, StoreError>;
}

/// Names one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordName<'a> {
    /// The id that the database assigned.
    Id(RecordId),
    /// The caller's own name.
    External(&'a str),
}

/// What is read of a record besides its signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The payload, which may be large.
    pub payload: bool,
    /// The batch, also when it is not signed yet. Finding it may take as long as there are unsigned batches.
    pub unsigned_batch: bool,
}

/// A record with what is known of its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Its id.
    pub id: RecordId,
    /// The caller's own name for it. What is not UTF-8 in it is replaced.
    pub external_id: Option<String>,
    /// Length of the payload in bytes.
    pub payload_length: u64,
    /// The payload, if it was wanted.
    pub payload: Option<Vec<u8>>,
    /// When it was added.
    pub created_at: String,
    /// The signature, if the record's batch is signed.
    pub signature: Option<Vec<u8>>,
    /// The batch that the record is in. `None` for a record that is in no batch yet, and for an unsigned record if
    /// the batch was not wanted.
    pub batch: Option<BatchSummary>,
}

/// A batch as people may see it, without the list of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSummary {
    /// Its id.
    pub id: BatchId,
    /// Its state.
    pub state: BatchState,
    /// Its lease number.
    pub epoch: Epoch,
    /// Its lowest record.
    pub first_record: RecordId,
    /// Its highest record.
    pub last_record: RecordId,
    /// How many records it has.
    pub record_count: u64,
    /// The key that signs or signed it.
    pub key: Option<Fingerprint>,
    /// The node that holds it, and the node's name.
    pub node: Option<(NodeId, String)>,
    /// How it is or was signed.
    pub scheme: Option<Scheme>,
    /// When it was formed.
    pub opened_at: String,
    /// When it was leased last.
    pub leased_at: Option<String>,
    /// When its signatures were stored.
    pub signed_at: Option<String>,
}

/// The record that has waited longest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldestUnsigned {
    /// The record.
    pub record: RecordId,
    /// When it was added.
    pub created_at: String,
    /// How long ago that was, by the database's clock.
    pub age: Duration,
}

/// Which batches to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPage {
    /// Only batches in this state.
    pub state: Option<BatchState>,
    /// Only batches older than this one.
    pub before: Option<BatchId>,
    /// How many at most.
    pub limit: usize,
}

/// Which keys to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPage {
    /// In which order, and after which key.
    pub order: KeyOrder,
    /// Only keys in this state.
    pub state: Option<KeyState>,
    /// How many at most.
    pub limit: usize,
}

/// An order of keys, and the key after which the page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    /// Least recently used first, which is the order in which keys are chosen (see
    /// [`IdleKeys`](crate::domain::IdleKeys)). A place in it is `last_leased` and the id.
    Use(Option<(i64, KeyId)>),
    /// The order in which they were added.
    Added(Option<KeyId>),
}
