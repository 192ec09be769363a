//! A batch as it stands in a database: what its row says.

use super::{BatchId, BatchState, Epoch, KeyId, NodeId, RecordId, Runs, Scheme};

/// A batch as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRow {
    /// Its id.
    pub id: BatchId,
    /// Its records.
    pub records: Runs,
    /// `first_record`, `last_record` and `record_count` as stored, which must agree with `records`.
    pub stored_span: (RecordId, RecordId, u64),
    /// Where it is in its life.
    pub state: BatchState,
    /// Its lease number.
    pub epoch: Epoch,
    /// The key that signs or signed it.
    pub key: Option<KeyId>,
    /// The node that holds it.
    pub node: Option<NodeId>,
    /// How it is or was signed.
    pub scheme: Option<Scheme>,
    /// When its signatures were stored.
    pub signed_at: Option<String>,
}

impl BatchRow {
    /// Records of the largest batch: its signatures are held in memory until they are stored.
    pub const MAX_RECORDS: usize = 100_000;
}
