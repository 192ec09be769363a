//! The memory that operations work in, and how parts of it are named.

use super::{
    forty::Scratch,
    vector::Lanes,
    wipe::{Zeroed, wipe},
};

/// The memory of products and reductions. It holds secrets, and is wiped when dropped.
///
/// All of it is in one place with a fixed layout, so that the distances between operands, on which the processor's speed depends
/// a little, are the same in each run.
#[repr(C, align(4096))]
pub(super) struct Work {
    /// The columns of a product: 2·`N`, and one for a carry.
    pub(super) t: [Lanes; 161],
    /// Scratch memory of the products of forty digits, and of the reduction.
    pub(super) scratch: Scratch,
    /// The three cross products of thirty digits.
    pub(super) u: [Lanes; 60],
    /// Twenty digits of the reduction's quotient.
    pub(super) quotient: [Lanes; 20],
    /// A factor that all lanes share.
    pub(super) shared: [Lanes; 80],
    /// Products of single blocks of sixty and eighty digits.
    pub(super) z: [Lanes; 160],
}

// SAFETY: it consists of numbers, and is not empty.
unsafe impl Zeroed for Work {}

impl Drop for Work {
    fn drop(&mut self) {
        let Self { t, scratch: Scratch { u: product, s, r }, u, quotient, shared, z } = self;
        for part in [&mut t[..], product, s, r, u, quotient, shared, z] {
            wipe(part);
        }
    }
}

/// `S` digits from `at` on.
#[inline(always)]
pub(super) fn part<const S: usize>(from: &[Lanes], at: usize) -> &[Lanes; S] {
    from[at..].first_chunk().expect("the caller's lengths are constants")
}

/// Like [`part`], to be changed.
#[inline(always)]
pub(super) fn part_mut<const S: usize>(from: &mut [Lanes], at: usize) -> &mut [Lanes; S] {
    from[at..].first_chunk_mut().expect("the caller's lengths are constants")
}
