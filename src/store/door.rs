//! The door: everything that Sign Wave asks of a database. Each method is one short transaction.

use std::time::Duration;

use super::StoreError;
use crate::domain::{
    BatchId, BatchRow, CommitVerdict, Custody, Epoch, Fingerprint, InsertVerdict, KeyId, KeyState, Lease,
    NodeId, Outcome, RecordId, Runs, Scheme, SignedBatch, promises::Counts,
};

/// A database of records, keys, batches, signatures and nodes.
///
/// Methods take `&self`: an implementation keeps its own connections, writers apart from readers,
/// so that a long read never holds up a commit. Times are RFC 3339 texts in UTC, by the database's
/// own clock.
pub trait Store: Send + Sync {
    /// Forms batches out of records above the frontier (the highest id in any batch), in id order.
    fn open_batches(&self, request: OpenBatches) -> Result<OpenedBatches, StoreError>;

    /// Pairs up to `limit` open batches, oldest first, with as many least recently used idle active
    /// keys, for `node`. Raises each epoch by one. Fewer, or none, when batches or keys run out.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when `node` is not registered (any more).
    fn lease(&self, node: NodeId, scheme: Scheme, limit: usize) -> Result<Vec<Lease>, StoreError>;

    /// Shows each record's payload, in id order, one at a time.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a record is missing.
    fn read_payloads(&self, records: &Runs, visit: &mut dyn FnMut(RecordId, &[u8]))
    -> Result<(), StoreError>;

    /// Stores all signatures of each batch whose lease still stands, in one transaction, and says
    /// for each batch what became of it, in order. A fenced batch stores nothing and does not hinder
    /// the others. One that is not there, in a database that went back in time, is fenced as if it were
    /// open and had never been leased.
    fn commit(&self, batches: &[SignedBatch]) -> Result<Vec<CommitVerdict>, StoreError>;

    /// Reads back what became of commits whose reply was lost, in order; a batch that is not there is fenced.
    fn outcomes(&self, sent: &[(BatchId, Epoch)]) -> Result<Vec<Outcome>, StoreError>;

    /// Gives leases back: to `open`, epoch + 1. Returns how many still stood; the others were lost
    /// already, which is no error.
    fn release(&self, leases: &[(BatchId, Epoch)]) -> Result<u64, StoreError>;

    /// What the database says of a node, all at one moment: see [`Inventory`]. `stored` names batches
    /// that were stored, each with the epoch at which that happened.
    fn inventory(&self, node: NodeId, stored: &[(BatchId, Epoch)]) -> Result<Inventory, StoreError>;

    /// Adds a node whose lease runs for `ttl` from now.
    fn register_node(&self, name: &str, ttl: Duration) -> Result<NodeId, StoreError>;

    /// Extends a node's lease to `ttl` from now.
    fn renew_node(&self, node: NodeId, ttl: Duration) -> Result<RenewVerdict, StoreError>;

    /// Gives back whatever the node still holds (returning how many batches), and removes it.
    fn remove_node(&self, node: NodeId) -> Result<u64, StoreError>;

    /// Finds the nodes that are dead (their process is known to be gone, or their lease ran out
    /// `grace` ago), gives their batches back to `open` with epoch + 1, and removes them. `me` is
    /// never among them. A lease that ends later than any renewal could have made it end is from before
    /// the clock was set back: it is counted from now.
    fn reclaim(&self, me: Option<NodeId>, grace: Duration) -> Result<Vec<Reclaimed>, StoreError>;

    /// Adds a key unless its fingerprint is there.
    fn add_key(&self, key: &NewKey) -> Result<AddKeyVerdict, StoreError>;

    /// All keys, in the order in which they were added.
    fn keys(&self) -> Result<Vec<KeyRow>, StoreError>;

    /// One key with its sealed private half; `None` if there is no such key.
    fn stored_key(&self, key: KeyId) -> Result<Option<StoredKey>, StoreError>;

    /// Puts a key into another state, with a reason for people to read.
    fn set_key_state(
        &self,
        key: KeyId,
        state: KeyState,
        reason: Option<&str>,
    ) -> Result<KeyStateVerdict, StoreError>;

    /// Adds records in order, up to and including the first that conflicts: everything before it is
    /// stored, and the verdicts end with the conflict.
    fn insert_records(&self, records: &[NewRecord<'_>]) -> Result<Vec<InsertVerdict>, StoreError>;

    /// The largest payload in bytes that a record may have. A larger one is refused.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the schema has no such limit any more.
    fn payload_limit(&self) -> Result<u32, StoreError>;

    /// How far the work is, at a cost that does not grow with the number of records in batches.
    fn status(&self) -> Result<Status, StoreError>;

    /// Up to `limit` batches with an id above `after`, in id order.
    fn batches(&self, after: BatchId, limit: usize) -> Result<Vec<BatchRow>, StoreError>;

    /// The batch under which a record was signed; `None` when it is not signed.
    fn batch_of(&self, record: RecordId) -> Result<Option<BatchRow>, StoreError>;

    /// Shows each of the records that is there, in id order, with its signature if it has one: all
    /// that is stored, also a signature that should not be there. Whoever passes it on checks that
    /// its batch is signed.
    fn read_signed(&self, records: &Runs, visit: &mut dyn FnMut(SignedRow<'_>)) -> Result<(), StoreError>;

    /// Counts rows for real, one by one, and what they must add up to: all at one moment.
    fn counts(&self) -> Result<Counts, StoreError>;

    /// Somebody who hears at once when other processes add records or form batches; `None` where the
    /// database cannot tell, so that looking again and again is the only way.
    ///
    /// # Errors
    /// The database cannot be reached.
    fn listener(&self) -> Result<Option<Box<dyn Listener>>, StoreError> {
        Ok(None)
    }

    /// How many threads can carry out transactions at a time, each on a connection of its own. Threads beyond
    /// that wait for each other.
    fn connections(&self) -> usize {
        1
    }

    /// Checks the database itself: its integrity, and that every table, constraint, trigger and view
    /// of the schema is still in place. Each sentence is a problem.
    fn audit(&self) -> Result<Vec<String>, StoreError>;
}

/// Hears of news: records that were added, batches that became open. It may miss some, and invent
/// some: whoever is told looks for himself.
pub trait Listener: Send {
    /// Waits for news, at most for `timeout`; returns whether there may be any. After an error the next
    /// call tries to reach the database anew, and counts that as news.
    ///
    /// # Errors
    /// The database cannot be reached.
    fn wait(&mut self, timeout: Duration) -> Result<bool, StoreError>;
}

/// How to form batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenBatches {
    /// Records per batch, at least 1.
    pub batch_size: usize,
    /// How many open batches there should be afterwards: none is formed beyond that. With 0 it is
    /// only told how many there are.
    pub keep_open: usize,
    /// Whether a last batch may be formed of fewer than `batch_size` records.
    pub partial: bool,
}

/// What forming batches came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenedBatches {
    /// Batches formed just now.
    pub opened: usize,
    /// Batches that are open now, those formed just now included.
    pub open: usize,
    /// Batches that are leased now, by any node.
    pub leased: usize,
    /// Records above the frontier: `None` when it is certain that none is left, otherwise at least
    /// that many wait for the next call.
    pub waiting: Option<usize>,
}

/// What the database says of a node, which should know it: only a database that went back in time
/// (restored, or failed over to a standby that lagged) says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The leases that the node holds, in id order.
    pub held: Vec<(BatchId, Epoch)>,
    /// Batches that had been stored, and are not signed at that epoch any more, in the order given.
    pub lost: Vec<(BatchId, Epoch)>,
}

/// Whether a node's lease could be extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewVerdict {
    /// It stands for another time to live.
    Renewed,
    /// The node was reclaimed: its leases are gone, it must register again.
    Gone,
}

/// A dead node, and what it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reclaimed {
    /// The node, now removed.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// How many batches went back to `open`.
    pub batches: u64,
}

/// A key to add.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// SHA-256 of `public_key`.
    pub fingerprint: Fingerprint,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// Bits of the modulus.
    pub bits: u32,
    /// Where the private half is.
    pub custody: Custody,
    /// The private half, sealed.
    pub sealed_key: Vec<u8>,
}

/// What became of a key that somebody wanted to add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddKeyVerdict {
    /// It is new, and has this id now.
    Added(KeyId),
    /// It was there already.
    AlreadyThere(KeyId),
}

/// What became of a request to change a key's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStateVerdict {
    /// Done; the state it had before.
    Changed(KeyState),
    /// Refused by [`KeyState::may_become`]; the state it has.
    Refused(KeyState),
    /// There is no such key.
    NoSuchKey,
}

/// A key as people may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Its id.
    pub id: KeyId,
    /// Its name everywhere.
    pub fingerprint: Fingerprint,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// Bits of the modulus.
    pub bits: u32,
    /// Whether it may sign.
    pub state: KeyState,
    /// Why it is in that state.
    pub state_reason: Option<String>,
    /// The batch that is leased with it.
    pub leased_batch: Option<BatchId>,
    /// Its place in the order of use, 0 when never used.
    pub last_leased: i64,
    /// Signatures stored.
    pub signature_count: i64,
    /// When it was added.
    pub created_at: String,
}

/// What a signer is opened from.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its id.
    pub id: KeyId,
    /// Its name everywhere.
    pub fingerprint: Fingerprint,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// The private half, sealed under the master key; `None` when it is kept elsewhere.
    pub sealed_key: Option<Vec<u8>>,
}

impl std::fmt::Debug for StoredKey {
    /// Shows which key, never the sealed bytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredKey({}, {})", self.id, self.fingerprint)
    }
}

/// A record to add.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// The caller's own name for it, unique; makes adding it again harmless.
    pub external_id: Option<&'a str>,
    /// The bytes to be signed.
    pub payload: &'a [u8],
}

/// How far the work is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Records in batches that are signed.
    pub signed: u64,
    /// Records in batches that are leased.
    pub leased: u64,
    /// Records in batches that are open.
    pub open: u64,
    /// Records that are in no batch yet.
    pub unbatched: u64,
    /// Batches in the states open, leased and signed.
    pub batches: [u64; 3],
    /// Keys in the states active, disabled, retired and suspended.
    pub keys: [u64; 4],
    /// Nodes at work.
    pub nodes: Vec<NodeRow>,
}

impl Status {
    /// All records.
    pub fn records(&self) -> u64 {
        self.signed + self.waiting()
    }

    /// Records without a signature.
    pub fn waiting(&self) -> u64 {
        self.leased + self.open + self.unbatched
    }
}

/// A node at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// When it registered.
    pub started_at: String,
    /// Until when its lease runs.
    pub lease_until: String,
    /// How many batches it holds.
    pub batches: u64,
}

/// A record with what is known of its signature.
#[derive(Clone, Copy, Debug)]
pub struct SignedRow<'a> {
    /// The record.
    pub record: RecordId,
    /// The caller's own name for it.
    pub external_id: Option<&'a str>,
    /// The signed bytes.
    pub payload: &'a [u8],
    /// The batch that the signature names, and the signature.
    pub signature: Option<(BatchId, &'a [u8])>,
}
