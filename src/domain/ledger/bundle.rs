//! Bundles: signed records that are checked without the database.

use super::{BatchSigned, Hash, Note};
use crate::domain::{Digest, RecordId, Scheme};

/// A signed record, with what shows that it is in the ledger. Nothing in it is trusted: a check compares it with a key that
/// was pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The record.
    pub record: RecordId,
    /// Its owner's name for it. It is part of the receipt, not of what is signed.
    pub external_id: Option<String>,
    /// What was signed, if it is handed on with the bundle.
    pub payload: Option<Vec<u8>>,
    /// The digest of the payload, made with the scheme's hash.
    pub digest: Digest,
    /// How the record is signed.
    pub scheme: Scheme,
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// The key, as DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// The entry of the record's batch.
    pub entry: BatchSigned,
    /// Where the record is in the tree of the batch.
    pub in_batch: Inclusion,
    /// How many records the batch has.
    pub records: u64,
    /// Where the entry is in the tree of the ledger.
    pub in_ledger: Inclusion,
    /// The checkpoint that has the entry.
    pub checkpoint: Note,
}

/// The place of a leaf in a tree, and the path from there to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The index of the leaf, from 0.
    pub index: u64,
    /// The path, as [`verify_inclusion`](super::paths::verify_inclusion) takes it.
    pub path: Vec<Hash>,
}
