//! A whole tree in memory, for many paths through it.

use super::{Hash, node_hash};

/// Every node of a tree, level by level, the leaves first. A node without a neighbour is the same node one level higher.
#[derive(Clone, Debug)]
pub struct Levels(Vec<Vec<Hash>>);

impl Levels {
    /// The tree over these leaves. It computes one node per leaf, and keeps as many.
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let (pairs, alone) = below.as_chunks();
            let above = pairs.iter().map(|[left, right]| node_hash(*left, *right));
            levels.push(above.chain(alone.iter().copied()).collect());
        }
        Self(levels)
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
}
