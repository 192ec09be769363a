//! The tree over the records of one batch.

use super::{Edge, Hash};
use crate::domain::{Digest, DigestAlgorithm, RecordId};

/// Grows a batch's tree record by record, in the order of their ids. It keeps a few hundred bytes, however many records
/// are added, and computes two hashes for each.
#[derive(Clone, Debug, Default)]
pub struct RecordsTree(Edge);

impl RecordsTree {
    /// Adds the next record with its digest, the hash of its name, and its signature.
    pub fn add(&mut self, record: RecordId, digest: &Digest, name: Option<Hash>, signature: &[u8]) {
        self.0.push(record_leaf(record, digest, name, signature));
    }

    /// The root over all records that were added.
    pub fn root(&self) -> Hash {
        self.0.root()
    }
}

/// The leaf of a record. Its data: the byte 1; the id in 8 bytes; the hash function in one byte (1 SHA-256, 2 SHA-384,
/// 3 SHA-512); the digest's length in one byte, and the digest; the byte 1 and the [`name_hash`], or the byte 0 if the record
/// has no name; the signature's length in 2 bytes, and the signature. Numbers are big-endian. The signature hides the rest,
/// because it cannot be guessed.
pub fn record_leaf(record: RecordId, digest: &Digest, name: Option<Hash>, signature: &[u8]) -> Hash {
    let function: u8 = match digest.algorithm() {
        DigestAlgorithm::Sha256 => 1,
        DigestAlgorithm::Sha384 => 2,
        DigestAlgorithm::Sha512 => 3,
    };
    let id = record.0.to_be_bytes();
    let about = [function, digest.algorithm().output_len() as u8];
    // No signature of a key that can be used is that long. As the signature comes last, its bytes tell it from others.
    let length = u16::try_from(signature.len()).unwrap_or(u16::MAX).to_be_bytes();
    let (is_named, name): (&[u8], &[u8]) = match &name {
        Some(name) => (&[1], &name.0),
        None => (&[0], &[]),
    };
    Hash::of(&[&[0, 1], &id, &about, digest.as_bytes(), is_named, name, &length, signature])
}

/// The SHA-256 of a record's `external_id` in UTF-8.
pub fn name_hash(external_id: &str) -> Hash {
    Hash::of(&[external_id.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::{leaf_hash, oracle};

    #[test]
    fn a_leaf_is_made_of_every_field() {
        let digest = Digest::new(DigestAlgorithm::Sha384, &[7; 48]).unwrap();
        let (begin, end) = ([1, 0, 0, 0, 0, 0, 0, 1, 2, 2, 48], [&[1, 0][..], &[9; 256]].concat());
        let data = [&begin[..], &[7; 48], &[0], &end].concat();
        assert_eq!(record_leaf(RecordId(258), &digest, None, &[9; 256]), leaf_hash(&data));
        let data = [&begin[..], &[7; 48], &[1], &[5; 32], &end].concat();
        assert_eq!(record_leaf(RecordId(258), &digest, Some(Hash([5; 32])), &[9; 256]), leaf_hash(&data));
    }

    #[test]
    fn the_root_is_that_of_the_records_in_their_order() {
        let digest = |i: u8| Digest::new(DigestAlgorithm::Sha256, &[i; 32]).unwrap();
        let mut tree = RecordsTree::default();
        let leaves: Vec<_> =
            (0..100).map(|i| record_leaf(RecordId(i.into()), &digest(i), None, &[i; 64])).collect();
        (0..100).for_each(|i| tree.add(RecordId(i.into()), &digest(i), None, &[i; 64]));
        assert_eq!(tree.root(), oracle::root(&leaves));
    }
}
