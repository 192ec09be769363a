//! Receipts: entries at their places in a ledger.

use super::{Edge, Entry, Hash, Head};

/// An entry that was appended to a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    entry: Entry,
    leaf: Hash,
    head: Head,
}

impl Receipt {
    /// Appends an entry to the ledger with this edge.
    pub fn new(edge: &mut Edge, entry: Entry) -> Self {
        let leaf = entry.leaf();
        edge.push(leaf);
        Self { entry, leaf, head: edge.head() }
    }

    /// Its sequence number, counted from 1. It is the size of the ledger with this entry.
    pub fn seq(&self) -> u64 {
        self.head.size
    }

    /// What it is about.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The leaf of the entry.
    pub fn leaf(&self) -> Hash {
        self.leaf
    }

    /// The ledger up to and with this entry.
    pub fn head(&self) -> Head {
        self.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::paths;

    #[test]
    fn receipts_are_numbered_and_their_heads_are_those_of_the_leaves_so_far() {
        let text = format!("signwave/key/v1\nadded\n{}\n2026-11-27T12:00:00.000Z\n", "0".repeat(64));
        let mut edge = Edge::default();
        let receipts = [(); 5].map(|()| Receipt::new(&mut edge, text.parse().unwrap()));
        let leaves = receipts.each_ref().map(Receipt::leaf);
        for (before, receipt) in receipts.iter().enumerate() {
            assert_eq!(receipt.seq(), before as u64 + 1);
            assert_eq!(receipt.head().root, paths::root(leaves[..=before].iter().copied()));
            assert_eq!(receipt.entry().to_string(), text);
        }
        assert_eq!(edge.head(), receipts[4].head());
    }
}
