//! A look-up in a table by a secret index: every entry is read, the wanted one is kept by a mask.
//!
//! The reading stands among the multiplications of a square, a few digits of one entry every second column. There it costs
//! almost nothing, because the square needs the multipliers and the look-up needs the load ports.

use std::arch::asm;

use super::vector::{Lanes, V, opaque, zero};

/// Bits of a window of the exponent.
pub(super) const WINDOW: usize = 5;

/// Entries of a table: one for each value of a window.
pub(super) const ENTRIES: usize = 1 << WINDOW;

/// `D` digits of each entry, in the order in which they are read.
pub(super) type Part<const D: usize> = [[Lanes; D]; ENTRIES];

/// All ones for the wanted entry, 0 for the others.
pub(super) type Wanted = [u64; ENTRIES];

/// The masks of a secret index.
#[inline(always)]
pub(super) fn wanted(index: u64) -> Wanted {
    let mut masks = [0; ENTRIES];
    for (entry, mask) in (0_u64..).zip(&mut masks) {
        // Only a difference of 0 borrows.
        *mask = opaque(0_u64.wrapping_sub((entry ^ index).wrapping_sub(1) >> 63));
    }
    masks
}

/// A look-up in progress. With `D` = 0 there is nothing to look up.
pub(super) struct Scan<'a, const D: usize> {
    part: &'a Part<D>,
    wanted: &'a Wanted,
    found: [V; D],
}

impl<'a, const D: usize> Scan<'a, D> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn new(part: &'a Part<D>, wanted: &'a Wanted) -> Self {
        Self { part, wanted, found: [zero(); D] }
    }

    /// Step `K` of `OF`. Each entry is read in one of the steps.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn step<const K: usize, const OF: usize>(&mut self) {
        const { assert!(OF >= ENTRIES) };
        let entry = K * ENTRIES / OF;
        if D == 0 || (K + 1) * ENTRIES / OF == K * ENTRIES / OF {
            return;
        }
        let mask: V;
        // SAFETY: the instruction reads one mask, and writes a register. It is written in assembly because LLVM would move
        // intrinsics to one place, where nothing runs beside them.
        unsafe {
            asm!("vpbroadcastq {0}, qword ptr [{1}]", out(zmm_reg) mask, in(reg) &raw const self.wanted[entry],
                options(nostack, preserves_flags));
        }
        for (found, digit) in self.found.iter_mut().zip(&self.part[entry]) {
            // SAFETY: the instruction reads one vector, and changes a register: found |= mask & digit.
            unsafe {
                asm!("vpternlogq {0}, {1}, zmmword ptr [{2}], 0xF8", inout(zmm_reg) *found, in(zmm_reg) mask,
                    in(reg) std::ptr::from_ref(digit), options(nostack, preserves_flags));
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn store(self, found: &mut [Lanes; D]) {
        for (place, digit) in found.iter_mut().zip(self.found) {
            place.store(digit);
        }
    }
}

/// The look-up alone.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn look_up<const D: usize>(part: &Part<D>, wanted: &Wanted, found: &mut [Lanes; D]) {
    let mut scan = Scan::new(part, wanted);
    seq_macro::seq!(K in 0..32 { scan.step::<K, 32>(); });
    scan.store(found);
}
