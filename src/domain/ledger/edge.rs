//! The right edge of a growing tree, known as its compact range.

use super::{Hash, Head, node_hash};

/// All that is needed of a tree to append leaves and to know its root: the roots of its perfect subtrees, the largest
/// first. There is one for each bit that is set in the tree's size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    roots: Vec<Hash>,
}

/// Stored parts that no edge has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the edge of a tree with {size} leaves cannot have {bytes} bytes")]
pub struct BadEdge {
    /// How many leaves the tree was said to have.
    pub size: u64,
    /// How many bytes there were.
    pub bytes: usize,
}

impl Edge {
    /// The edge with these [`size`](Self::size) and [`bytes`](Self::bytes).
    ///
    /// # Errors
    /// [`BadEdge`] unless there are 32 bytes for each bit that is set in `size`, and `size` is at most that of an `i64`.
    pub fn from_parts(size: u64, bytes: &[u8]) -> Result<Self, BadEdge> {
        let (roots, rest) = bytes.as_chunks();
        let fits =
            roots.len() == size.count_ones() as usize && rest.is_empty() && i64::try_from(size).is_ok();
        let roots = || roots.iter().copied().map(Hash).collect();
        fits.then(|| Self { size, roots: roots() }).ok_or(BadEdge { size, bytes: bytes.len() })
    }

    /// The roots one after the other, 32 bytes each.
    pub fn bytes(&self) -> Vec<u8> {
        self.roots.iter().flat_map(|root| root.0).collect()
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The size and the root.
    pub fn head(&self) -> Head {
        Head { size: self.size, root: self.root() }
    }

    /// Appends a leaf with this hash. It computes one node per leaf on average.
    pub fn push(&mut self, leaf: Hash) {
        // The new leaf completes as many subtrees as the size has ones at its end.
        let completed = self.roots.len() - self.size.trailing_ones() as usize;
        let root = self.roots.drain(completed..).rev().fold(leaf, |right, left| node_hash(left, right));
        self.roots.push(root);
        self.size += 1;
    }

    /// The root of the tree; without leaves, the hash of nothing.
    pub fn root(&self) -> Hash {
        let roots = self.roots.iter().rev().copied();
        roots.reduce(|right, left| node_hash(left, right)).unwrap_or_else(|| Hash::of(&[]))
    }
}

impl Extend<Hash> for Edge {
    /// Appends leaves with these hashes.
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl FromIterator<Hash> for Edge {
    /// The edge of the tree with these leaves.
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut edge = Self::default();
        edge.extend(leaves);
        edge
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::domain::ledger::{leaf_hash, oracle};

    #[test]
    fn the_roots_are_those_that_others_compute() {
        for (size, root) in oracle::KNOWN_ROOTS.into_iter().enumerate() {
            let edge: Edge = oracle::KNOWN_LEAVES[..size].iter().map(|data| leaf_hash(data)).collect();
            assert_eq!(data_encoding::HEXLOWER.encode(&edge.root().0), root, "{size} leaves");
        }
    }

    proptest! {
        #[test]
        fn an_edge_is_the_tree_however_often_it_was_stored(
            leaves in vec(any::<[u8; 32]>().prop_map(Hash), 0..150),
            stored in vec(any::<bool>(), 150),
        ) {
            let mut edge = Edge::default();
            for (size, leaf) in leaves.iter().enumerate() {
                prop_assert_eq!(edge.root(), oracle::root(&leaves[..size]));
                if stored[size] {
                    edge = Edge::from_parts(edge.size(), &edge.bytes()).unwrap();
                }
                edge.push(*leaf);
            }
            prop_assert_eq!((edge.size(), edge.root()), (leaves.len() as u64, oracle::root(&leaves)));
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        for (size, bytes) in [(0, 32), (1, 0), (1, 31), (1, 33), (1, 64), (2, 64), (3, 32), (1 << 63, 32)] {
            let parts = Edge::from_parts(size, &vec![7; bytes]);
            assert_eq!(parts, Err(BadEdge { size, bytes }));
        }
        let mut largest = Edge::from_parts(i64::MAX as u64, &[7; 63 * 32]).unwrap();
        largest.push(Hash([7; 32]));
        assert_eq!((largest.size(), largest.bytes().len()), (1 << 63, 32));
    }
}
