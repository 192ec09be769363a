//! The messages between the actors. Each message has a typed reply, and every sender awaits it.

use std::{ops::Range, sync::Arc, time::Duration};

use actix::Message;
use bytes::Bytes;

use super::standing::Interrupted;
use crate::{
    domain::{
        BatchId, By, CommitVerdict, Contents, Epoch, InsertVerdict, KeyId, Lease, NodeId, Outcome, Reach,
        Scheme, SignedBatch,
    },
    signer::SignerError,
    store::{
        Inventory, KeyStateVerdict, OnConflict, OpenBatches, OpenedBatches, Reclaimed, RenewVerdict, Status,
        StoreError, StoredKey,
    },
};

/// To DbExecutor: form batches.
#[derive(Message)]
#[rtype(result = "Result<OpenedBatches, StoreError>")]
pub struct Open(pub OpenBatches);

/// To DbExecutor: lease up to `limit` batches, and hash their payloads.
#[derive(Message)]
#[rtype(result = "Result<Vec<Leased>, StoreError>")]
pub struct LeaseBatches {
    /// The node that leases.
    pub node: NodeId,
    /// The scheme of the signatures.
    pub scheme: Scheme,
    /// How many at most.
    pub limit: usize,
    /// Whose keys the node can use.
    pub reach: Reach,
}

/// A lease with what its records are.
#[derive(Debug)]
pub struct Leased {
    /// The right to sign.
    pub lease: Lease,
    /// What to sign.
    pub contents: Contents,
}

/// To DbExecutor: store the signatures of a part of the batches in one transaction. The batches are shared, because
/// the same bytes are sent again after an unknown outcome.
#[derive(Message)]
#[rtype(result = "Result<Vec<CommitVerdict>, StoreError>")]
pub struct Commit(pub Arc<[SignedBatch]>, pub Range<usize>);

/// To DbExecutor: read back what became of commits.
#[derive(Message)]
#[rtype(result = "Result<Vec<Outcome>, StoreError>")]
pub struct ReadOutcomes(pub Vec<(BatchId, Epoch)>);

/// To DbExecutor: release leases.
#[derive(Message)]
#[rtype(result = "Result<u64, StoreError>")]
pub struct Release(pub Vec<(BatchId, Epoch)>);

/// To DbExecutor: read what a node holds, and which of the batches that it stored are no longer stored.
#[derive(Message)]
#[rtype(result = "Result<Inventory, StoreError>")]
pub struct TakeInventory {
    /// The node.
    pub node: NodeId,
    /// Batches that were stored.
    pub stored: Vec<(BatchId, Epoch)>,
}

/// To DbExecutor: add this process as a node.
#[derive(Message)]
#[rtype(result = "Result<NodeId, StoreError>")]
pub struct Register {
    /// Its name.
    pub name: String,
    /// How long its lease runs.
    pub ttl: Duration,
    /// Whose keys it can use.
    pub reach: Reach,
}

/// To DbExecutor: extend a node's lease.
#[derive(Message)]
#[rtype(result = "Result<RenewVerdict, StoreError>")]
pub struct Renew {
    /// The node.
    pub node: NodeId,
    /// How long its lease runs from now.
    pub ttl: Duration,
    /// Whose keys it can use now.
    pub reach: Reach,
}

/// To DbExecutor: remove a node and release its batches.
#[derive(Message)]
#[rtype(result = "Result<u64, StoreError>")]
pub struct Remove(pub NodeId);

/// To DbExecutor: reclaim the batches of dead nodes.
#[derive(Message)]
#[rtype(result = "Result<Vec<Reclaimed>, StoreError>")]
pub struct Reclaim {
    /// The node that asks.
    pub me: Option<NodeId>,
    /// How long after the end of its lease a node counts as dead.
    pub grace: Duration,
}

/// To DbExecutor: fetch a key with its private half, or the location of its private half.
#[derive(Message)]
#[rtype(result = "Result<Option<StoredKey>, StoreError>")]
pub struct LoadKey(pub KeyId);

/// To DbExecutor: suspend a key that failed repeatedly.
#[derive(Message)]
#[rtype(result = "Result<KeyStateVerdict, StoreError>")]
pub struct Suspend {
    /// The key.
    pub key: KeyId,
    /// Why.
    pub reason: String,
    /// This node.
    pub by: By,
}

/// To DbExecutor: read the progress of the work.
#[derive(Message)]
#[rtype(result = "Result<Status, StoreError>")]
pub struct ReadStatus;

/// To DbExecutor: give signed batches their positions in the feed.
#[derive(Message)]
#[rtype(result = "Result<(), StoreError>")]
pub struct Sequence;

/// A record that a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The client's own name for it.
    pub external_id: Option<String>,
    /// The bytes to be signed.
    pub payload: Bytes,
}

/// To DbExecutor: add a part of the records in one transaction. The records are shared, because a part is sent again
/// without the record that the schema refuses.
#[derive(Message)]
#[rtype(result = "Result<Vec<InsertVerdict>, StoreError>")]
pub struct Insert(pub Arc<[Incoming]>, pub Range<usize>, pub OnConflict);

/// To Supervisor, and on to the KeyActor of `lease.key`: sign this batch.
#[derive(Message)]
#[rtype(result = "Result<SignedBatch, SignFailed>")]
pub struct Sign(pub Leased);

/// Why a batch was not signed. Its lease must be released.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignFailed {
    /// Nothing failed, but the batch must not be signed here now.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The key cannot be read.
    #[error("the key cannot be loaded: {0}")]
    Load(#[from] StoreError),
    /// The key does not exist.
    #[error("the key is not in the database")]
    NoSuchKey,
    /// The signer failed.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The signer made more or fewer signatures than there are records.
    #[error("the signer made {found} signatures for {expected} records")]
    WrongCount {
        /// Records in the batch.
        expected: u64,
        /// Signatures made.
        found: u64,
    },
    /// A signature does not verify with the stored key. No signature of the batch is stored.
    #[error("signature {nth} of {of} does not verify with the stored public key")]
    NotVerified {
        /// Which one, from 1.
        nth: usize,
        /// Records in the batch.
        of: usize,
    },
    /// The signer panicked.
    #[error("the signer panicked: {0}")]
    Panicked(String),
    /// The actor or thread that was asked to sign has ended.
    #[error("the actor or thread that was asked to sign has ended")]
    Gone,
}

/// Why batches were not signed, for a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// The database did not give the key.
    Database,
    /// The custodian of the key does not answer.
    Custodian,
    /// The key is missing, damaged, or cannot be opened, or its signer failed.
    Key,
    /// The signatures were not those of the batch: too many or too few, or one does not verify.
    Check,
    /// A thread or an actor panicked or ended.
    Panic,
}

impl FailureReason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Database, Self::Custodian, Self::Key, Self::Check, Self::Panic];

    /// The value of the metric's label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Custodian => "custodian",
            Self::Key => "key",
            Self::Check => "check",
            Self::Panic => "panic",
        }
    }
}

impl SignFailed {
    /// The kind of failure; `None` if nothing failed.
    pub fn reason(&self) -> Option<FailureReason> {
        Some(match self {
            Self::Interrupted(_) => return None,
            Self::Signer(SignerError::CustodianDown { .. }) => FailureReason::Custodian,
            Self::Load(StoreError::Corrupt(_)) | Self::NoSuchKey | Self::Signer(_) => FailureReason::Key,
            Self::Load(_) => FailureReason::Database,
            Self::WrongCount { .. } | Self::NotVerified { .. } => FailureReason::Check,
            Self::Panicked(_) | Self::Gone => FailureReason::Panic,
        })
    }

    /// Whether the key is to blame, so that it counts towards its suspension.
    pub fn blames_key(&self) -> bool {
        !matches!(self.reason(), None | Some(FailureReason::Database | FailureReason::Custodian))
    }
}

/// To Emit: make sure that `want` batches are open.
#[derive(Message)]
#[rtype(result = "Result<Fed, StoreError>")]
pub struct Feed {
    /// How many batches can be leased at once.
    pub want: usize,
    /// Whether the last attempt leased too few batches, so that Emit's estimate of open batches is out of date.
    pub stale: bool,
}

/// Emit's reply to [`Feed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// How it is known that batches are open.
    pub supply: Supply,
    /// About how many records wait, in open batches and in none.
    pub backlog: u64,
}

/// What Emit knows of open batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// As many batches as wanted are believed open. The database was not asked.
    Promised(usize),
    /// The database was asked just now.
    Counted(OpenedBatches),
}

impl Fed {
    /// How many batches are open.
    pub fn open(&self) -> usize {
        match self.supply {
            Supply::Promised(want) => want,
            Supply::Counted(opened) => opened.open,
        }
    }

    /// How many batches are leased, by any node, when it is certain that nothing else waits; otherwise `None`.
    pub fn held_when_nothing_waits(&self) -> Option<usize> {
        match self.supply {
            Supply::Counted(opened) if opened.open == 0 && opened.waiting.is_none() => Some(opened.leased),
            _ => None,
        }
    }
}

/// To Emit: look at the database now.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Tick;

/// To Ingest: there may be something to lease.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Wake;

/// To Ingest: lease nothing more, and reply when nothing is in hand any more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Settle;

/// To Heartbeat: renew now, because this node may have been reclaimed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Doubt;

/// To Heartbeat: remove this node with all its leases, known or not, and register under a new id.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reregister;

/// To Heartbeat: remove this node, because the service ends.
#[derive(Message)]
#[rtype(result = "Result<(), StoreError>")]
pub struct Leave;
