//! The path of a batch, `open → leased → signed`, as types that cannot be used twice.

use std::fmt;

use super::{
    BatchId, Digest, Epoch, KeyId, NodeId, RecordId, Runs, Scheme,
    ledger::{Hash, RecordsTree, name_hash},
};

/// A batch that waits for a key, as its row says.
#[derive(Debug, PartialEq, Eq)]
pub struct OpenBatch {
    /// The batch.
    pub id: BatchId,
    /// Its lease number so far.
    pub epoch: Epoch,
    /// Its records.
    pub records: Runs,
}

impl OpenBatch {
    /// Leases the batch to `node`, to be signed with `key`, at the next epoch. Nothing else creates a [`Lease`].
    pub fn lease(self, key: KeyId, node: NodeId, scheme: Scheme) -> Lease {
        Lease { batch: self.id, key, node, epoch: self.epoch.next(), scheme, records: self.records }
    }
}

/// A node's right to sign one batch with one key. It cannot be cloned, and signing consumes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    batch: BatchId,
    key: KeyId,
    node: NodeId,
    epoch: Epoch,
    scheme: Scheme,
    records: Runs,
}

impl Lease {
    /// The batch to sign.
    pub fn batch(&self) -> BatchId {
        self.batch
    }

    /// The only key that may sign it.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// The node that holds the lease.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The lease's number: a commit is conditional on it.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How to sign.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The records, in the order in which digests and signatures come.
    pub fn records(&self) -> &Runs {
        &self.records
    }

    /// Turns the lease into a signed batch, ready to be committed. `contents` are what was signed.
    ///
    /// # Errors
    /// Returns the lease, to be released, unless there is exactly one signature per record.
    pub fn signed(self, contents: &Contents, signatures: SignatureBuf) -> Result<SignedBatch, WrongCount> {
        let (expected, found) = (self.records.len(), signatures.len() as u64);
        if expected != found || expected != contents.digests.len() as u64 {
            return Err(WrongCount { lease: Box::new(self), found });
        }
        let mut tree = RecordsTree::default();
        let contents = contents.digests.iter().zip(&contents.names);
        for ((record, (digest, name)), signature) in self.records.iter().zip(contents).zip(signatures.iter())
        {
            tree.add(record, digest, *name, signature);
        }
        Ok(SignedBatch { lease: self, signatures, root: tree.root() })
    }
}

/// What the records of a batch are, in the order of their ids, as hashes: so memory does not grow with payloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    digests: Vec<Digest>,
    names: Vec<Option<Hash>>,
}

impl Contents {
    /// None, with room for those of `count` records.
    pub fn with_capacity(count: usize) -> Self {
        Self { digests: Vec::with_capacity(count), names: Vec::with_capacity(count) }
    }

    /// Adds the next record: the digest of its payload, and its name.
    pub fn push(&mut self, digest: Digest, external_id: Option<&str>) {
        self.digests.push(digest);
        self.names.push(external_id.map(name_hash));
    }

    /// The digests of the payloads: what is signed.
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }
}

/// A batch has more or fewer signatures than records.
#[derive(Debug, thiserror::Error)]
#[error("batch {} has {} records but {found} signatures", lease.batch, lease.records.len())]
pub struct WrongCount {
    /// The lease, still unused.
    pub lease: Box<Lease>,
    /// How many signatures there were.
    pub found: u64,
}

/// Every signature of one batch, made but not yet stored.
///
/// A commit takes it by reference, so that exactly the same bytes can be sent again after an unknown outcome.
#[derive(Debug)]
pub struct SignedBatch {
    lease: Lease,
    signatures: SignatureBuf,
    root: Hash,
}

impl SignedBatch {
    /// The lease under which it was signed.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The root of the tree over its records: see [`RecordsTree`].
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Each record with its signature, in id order.
    pub fn signatures(&self) -> impl Iterator<Item = (RecordId, &[u8])> {
        self.lease.records.iter().zip(self.signatures.iter())
    }
}

/// Signatures of one key in a row. Each is as long as the key's modulus.
#[derive(Clone, Default)]
pub struct SignatureBuf {
    width: usize,
    bytes: Vec<u8>,
}

impl SignatureBuf {
    /// An empty buffer for `count` signatures of `width` bytes (the modulus' length) each.
    pub fn with_capacity(width: usize, count: usize) -> Self {
        Self { width, bytes: Vec::with_capacity(width * count) }
    }

    /// Appends a signature, to be filled in by the caller.
    pub fn push_zeroed(&mut self) -> &mut [u8] {
        let start = self.bytes.len();
        self.bytes.resize(start + self.width, 0);
        &mut self.bytes[start..]
    }

    /// Removes the last signature, after the attempt to make it failed.
    pub fn pop(&mut self) {
        self.bytes.truncate(self.bytes.len().saturating_sub(self.width));
    }

    /// How many signatures there are.
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there are no signatures.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The signatures in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.width.max(1))
    }
}

impl fmt::Debug for SignatureBuf {
    /// Shows only the number, because a signature must not leave the process before it is committed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureBuf({} × {} bytes)", self.len(), self.width)
    }
}
