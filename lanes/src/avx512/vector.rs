//! Vectors of eight 64-bit lanes, and the few operations that everything else is made of.
//!
//! A vector holds the same digit, or the same column, of eight numbers. No operation moves data between lanes.

use std::arch::x86_64::*;

/// How many numbers are computed with at once.
pub(crate) const LANES: usize = 8;

/// Bits of a digit: what `vpmadd52` multiplies.
pub(super) const RADIX: u32 = 52;

/// The largest digit, which is also the mask of a digit's bits.
pub(super) const DIGIT: u64 = (1 << RADIX) - 1;

/// Eight lanes in a register.
pub(super) type V = __m512i;

/// Eight lanes in memory.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Lanes(pub(super) [u64; LANES]);

impl Lanes {
    pub(super) const ZERO: Self = Self([0; LANES]);

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn load(&self) -> V {
        // SAFETY: the type has the size and the alignment of a vector.
        unsafe { _mm512_load_si512(std::ptr::from_ref(self).cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn store(&mut self, v: V) {
        // SAFETY: as above.
        unsafe { _mm512_store_si512(std::ptr::from_mut(self).cast(), v) }
    }
}

/// `acc` + the low 52 bits of a·b. Only the low 52 bits of `a` and `b` count.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn lo(acc: V, a: V, b: V) -> V {
    _mm512_madd52lo_epu64(acc, a, b)
}

/// `acc` + the high 52 bits of a·b. Only the low 52 bits of `a` and `b` count.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn hi(acc: V, a: V, b: V) -> V {
    _mm512_madd52hi_epu64(acc, a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn add(a: V, b: V) -> V {
    _mm512_add_epi64(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn sub(a: V, b: V) -> V {
    _mm512_sub_epi64(a, b)
}

/// What a column hands to the next one: columns are signed, so this rounds down.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn carry(column: V) -> V {
    _mm512_srai_epi64::<RADIX>(column)
}

/// What remains of a column after its carry: a digit.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn digit(column: V) -> V {
    _mm512_and_si512(column, all(DIGIT))
}

/// The same value in all lanes.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn all(value: u64) -> V {
    _mm512_set1_epi64(value.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn zero() -> V {
    _mm512_setzero_si512()
}

/// The lanes that are not 0.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn nonzero(v: V) -> __mmask8 {
    _mm512_test_epi64_mask(v, v)
}

/// `v` in the lanes of the mask, 0 in the others.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn keep(mask: __mmask8, v: V) -> V {
    _mm512_maskz_mov_epi64(mask, v)
}

/// `a + b` in the lanes of the mask, `a` in the others.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn add_where(mask: __mmask8, a: V, b: V) -> V {
    _mm512_mask_add_epi64(a, mask, a, b)
}

/// For each bit: `yes` where `choice` has a 1, `no` where it has a 0.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn select(choice: V, yes: V, no: V) -> V {
    _mm512_ternarylogic_epi64::<0xCA>(choice, yes, no)
}

/// Bits that differ between `a` and `b`, added to `seen`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn differences(seen: V, a: V, b: V) -> V {
    _mm512_or_si512(seen, _mm512_xor_si512(a, b))
}

/// Hides a value from the optimiser, so that the optimiser cannot turn a mask back into a branch.
#[inline(always)]
pub(super) fn opaque(mut value: u64) -> u64 {
    // SAFETY: the block has no instruction.
    unsafe {
        std::arch::asm!("/* {0} */", inout(reg) value, options(nomem, nostack, preserves_flags, pure));
    }
    value
}
