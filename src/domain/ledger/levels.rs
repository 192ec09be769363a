//! A whole tree in memory, for many paths through it.

use std::mem;

use super::{Hash, node_hash};

/// Every node of a tree, level by level, the leaves first. A node without a neighbour is the same node one level higher.
#[derive(Clone, Debug, Default)]
pub struct Levels(Vec<Vec<Hash>>);

impl Levels {
    /// The tree over these leaves. It computes one node per leaf, and keeps as many.
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = Self::default();
        levels.extend(leaves);
        levels
    }

    /// Appends leaves. It computes the nodes above them, and no others.
    pub fn extend(&mut self, leaves: impl IntoIterator<Item = Hash>) {
        if self.0.is_empty() {
            self.0.push(Vec::new());
        }
        // Below this index a level stays as it is.
        let mut kept = self.0[0].len();
        self.0[0].extend(leaves);
        let mut height = 0;
        while self.0[height].len() > 1 {
            kept /= 2;
            let mut above = self.0.get_mut(height + 1).map(mem::take).unwrap_or_default();
            above.truncate(kept);
            let (pairs, alone) = self.0[height][2 * kept..].as_chunks();
            above.extend(
                pairs.iter().map(|[left, right]| node_hash(*left, *right)).chain(alone.iter().copied()),
            );
            height += 1;
            if height < self.0.len() { self.0[height] = above } else { self.0.push(above) }
        }
    }

    /// How many leaves there are.
    pub fn size(&self) -> usize {
        self.0.first().map_or(0, Vec::len)
    }

    /// The root; `None` without leaves.
    pub fn root(&self) -> Option<Hash> {
        self.0.last()?.first().copied()
    }

    /// The path from the leaf at `index` to the root, as [`verify_inclusion`](super::paths::verify_inclusion) takes it.
    pub fn path(&self, index: usize) -> Vec<Hash> {
        let levels = self.0.iter().enumerate();
        levels.filter_map(|(height, level)| level.get((index >> height) ^ 1).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::{
        leaf_hash,
        paths::{root, verify_inclusion},
    };

    #[test]
    fn every_path_leads_to_the_root() {
        for size in 0..70_u8 {
            let leaves: Vec<_> = (0..size).map(|i| leaf_hash(&[i])).collect();
            let (levels, root) = (Levels::new(leaves.clone()), root(leaves.iter().copied()));
            for (index, leaf) in leaves.iter().enumerate() {
                let path = levels.path(index);
                assert!(verify_inclusion(*leaf, index as u64, size.into(), &path, root), "{index} of {size}");
            }
        }
    }

    #[test]
    fn a_tree_that_grew_is_the_tree_of_all_its_leaves() {
        let leaves: Vec<_> = (0..70_u8).map(|i| leaf_hash(&[i])).collect();
        for before in 0..leaves.len() {
            for after in before..=leaves.len() {
                let mut grown = Levels::new(leaves[..before].to_vec());
                grown.extend(leaves[before..after].iter().copied());
                assert_eq!(grown.0, Levels::new(leaves[..after].to_vec()).0, "from {before} to {after}");
                let whole = (after > 0).then(|| root(leaves[..after].iter().copied()));
                assert_eq!((grown.size(), grown.root()), (after, whole));
            }
        }
    }
}
