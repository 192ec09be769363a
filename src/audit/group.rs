//! Gathers records that were read in groups, because an engine may verify several signatures of one key at once.

use std::ops::Range;

use super::keys::VerifyingKey;
use crate::{
    domain::{
        BatchId, Digest, RecordId, Scheme,
        ledger::{Edge, Hash, name_hash, record_leaf},
        promises::{Invalid, Records},
    },
    signer::{LANES, digest},
    store::SignedRow,
};

/// The records that were read and not judged yet, fewer than [`LANES`]. All signatures must be those of one key.
pub(super) struct Group<'a> {
    key: Option<(&'a VerifyingKey, Scheme)>,
    rows: Vec<Row>,
    /// The signatures of the rows, one after the other.
    bytes: Vec<u8>,
    /// The tree over all records so far; `None` after one that makes no leaf.
    tree: Option<Edge>,
}

/// A record without its payload.
struct Row {
    record: RecordId,
    signature: Option<(BatchId, Range<usize>)>,
    /// `None` where there is nothing to verify.
    digest: Option<Digest>,
}

impl<'a> Group<'a> {
    /// An empty group. Without a key no signature is verified.
    pub(super) fn new(key: Option<(&'a VerifyingKey, Scheme)>) -> Self {
        Self { key, rows: Vec::with_capacity(LANES), bytes: Vec::new(), tree: Some(Edge::default()) }
    }

    /// Adds the next record, and judges the group when it is full.
    pub(super) fn add(&mut self, row: SignedRow<'_>, records: &mut Records<'_>) {
        let key = self.key.filter(|_| row.signature.is_some());
        let digest = key.map(|(_, scheme)| digest(scheme.digest(), row.payload));
        let leaf = digest.zip(row.signature).map(|(digest, (_, value))| {
            record_leaf(row.record, &digest, row.external_id.map(name_hash), value)
        });
        self.tree = self.tree.take().zip(leaf).map(|(mut tree, leaf)| {
            tree.push(leaf);
            tree
        });
        let signature = row.signature.map(|(batch, value)| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(value);
            (batch, start..self.bytes.len())
        });
        self.rows.push(Row { record: row.record, signature, digest });
        if self.rows.len() == LANES {
            self.judge(records);
        }
    }

    /// Judges the records of the group in the order in which they came. Callers must do so after the last record, too.
    pub(super) fn judge(&mut self, records: &mut Records<'_>) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut verdicts = self.verify(&bytes).into_iter();
        for row in self.rows.drain(..) {
            let verdict = row.digest.and_then(|_| verdicts.next()).unwrap_or(Ok(()));
            let signature = row.signature.map(|(batch, place)| (batch, &bytes[place]));
            records.see(row.record, signature, |_| verdict);
        }
        self.bytes = bytes;
        self.bytes.clear();
    }

    /// The root of the tree over all records that were added, if they are `count` and each has a signature.
    pub(super) fn root(&self, count: u64) -> Option<Hash> {
        self.tree.as_ref().filter(|tree| tree.size() == count).map(Edge::root)
    }

    /// A verdict for each row with a digest.
    fn verify(&self, bytes: &[u8]) -> Vec<Result<(), Invalid>> {
        let Some((key, scheme)) = self.key else { return Vec::new() };
        let signature = |row: &Row| Some((row.digest?, &bytes[row.signature.clone()?.1]));
        let signed: Vec<(Digest, &[u8])> = self.rows.iter().filter_map(signature).collect();
        key.verify(scheme, &signed)
    }
}
