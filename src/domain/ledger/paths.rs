//! Paths through a tree: that a leaf is in it, and that a larger tree continues a smaller one (RFC 9162, sections 2.1.3
//! and 2.1.4).
//!
//! A path is made in two steps, so that leaves can come from a database. [`inclusion`] and [`consistency`] say of which
//! ranges of leaves the path has the roots; [`root`] computes each.

use std::ops::Range;

use super::{Edge, Hash, Head, node_hash};

/// The ranges of leaf indexes whose roots are the path from the leaf at `index` to the root over `size` leaves, the
/// lowest first; `None` if there is no such leaf.
pub fn inclusion(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    let mut path = Vec::new();
    let mut tree = (index < size).then_some(0..size)?;
    while tree.end - tree.start > 1 {
        let (left, right) = halves(&tree);
        let (inside, beside) = if left.contains(&index) { (left, right) } else { (right, left) };
        path.push(beside);
        tree = inside;
    }
    path.reverse();
    Some(path)
}

/// The ranges of leaf indexes whose roots are the path from the tree of the first `old` leaves to that of `new` leaves;
/// `None` if `old` is greater than `new`. From an empty tree, and from a tree to itself, the path is empty.
pub fn consistency(old: u64, new: u64) -> Option<Vec<Range<u64>>> {
    let mut path = Vec::new();
    let mut tree = (old <= new).then_some(0..new)?;
    if old == 0 {
        return Some(path);
    }
    while tree.end != old {
        let (left, right) = halves(&tree);
        let (inside, beside) = if old <= left.end { (left, right) } else { (right, left) };
        path.push(beside);
        tree = inside;
    }
    // This subtree may be all of the old tree, whose root the verifier has.
    path.extend((tree.start > 0).then_some(tree));
    path.reverse();
    Some(path)
}

/// A tree of at least two leaves in its two subtrees. The left one has as many leaves as possible that are a power of two.
fn halves(tree: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let middle = tree.start + (tree.end - tree.start).div_ceil(2).next_power_of_two();
    (tree.start..middle, middle..tree.end)
}

/// The root over leaves, in their order.
pub fn root(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    leaves.into_iter().collect::<Edge>().root()
}

/// Whether `path` leads from the leaf at `index` to `root`, the root over `size` leaves.
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash], root: Hash) -> bool {
    let Some(mut last) = size.checked_sub(1).filter(|last| index <= *last) else { return false };
    let (mut at, mut hash) = (index, leaf);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node_hash(*beside, hash);
            // Where a node has no neighbour, it is the same node one level higher.
            let alone = at.trailing_zeros();
            (at, last) = (at >> alone, last >> alone);
        } else {
            hash = node_hash(hash, *beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == root
}

/// Whether `path` shows that the tree with the head `new` begins with that of `old`.
pub fn verify_consistency(old: Head, new: Head, path: &[Hash]) -> bool {
    if old.size == 0 || old.size >= new.size {
        let continues = old == new || old.size < new.size && old.root == Edge::default().root();
        return continues && path.is_empty();
    }
    // The largest subtree at the end of the old tree is where both begin. If it is all of the old tree, its root is known.
    let whole = old.size.is_power_of_two().then_some(old.root);
    let mut path = whole.iter().chain(path);
    let Some(first) = path.next() else { return false };
    let begin = (old.size - 1).trailing_ones();
    let (mut at, mut last) = ((old.size - 1) >> begin, (new.size - 1) >> begin);
    let (mut old_root, mut new_root) = (*first, *first);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            (old_root, new_root) = (node_hash(*beside, old_root), node_hash(*beside, new_root));
            let alone = at.trailing_zeros();
            (at, last) = (at >> alone, last >> alone);
        } else {
            new_root = node_hash(new_root, *beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && (old_root, new_root) == (old.root, new.root)
}
