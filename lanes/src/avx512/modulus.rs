//! A modulus with what is computed from it once, and arithmetic in Montgomery form.

use zeroize::{Zeroize, ZeroizeOnDrop};

#[cfg(test)]
use super::fault::{self, Place};
use super::{
    bounds,
    forty::{multiply40, square40},
    reduce::reduce,
    thirty::{multiply30, square30_scan},
    twenty::{Shared20, multiply20, square20},
    vector::{DIGIT, LANES, Lanes, RADIX, V, add, all, carry, digit, select, sub, zero},
    wide::{multiply_wide, square_wide},
    work::{Work, part, part_mut},
};

/// A number of `N` digits in each lane, least significant digit first.
pub(super) type Number<const N: usize> = [Lanes; N];

/// An odd modulus below R/16, where R = 2^(52·`N`). It is wiped when dropped, because it may be a prime of a key.
pub(super) struct Modulus<const N: usize> {
    pub(super) digits: [u64; N],
    /// The digits from the twentieth on, in blocks of twenty.
    pub(super) rest: Box<[Shared20]>,
    /// -m⁻¹ mod 2^52.
    pub(super) factor: u64,
    /// R mod m, which is 1 in Montgomery form. It is below 2m, as the next two are.
    pub(super) one: [u64; N],
    /// R² mod m: a product with it enters Montgomery form.
    pub(super) r2: [u64; N],
    /// R³ mod m: a product with it enters Montgomery form after a reduction.
    pub(super) r3: [u64; N],
}

impl<const N: usize> Modulus<N> {
    /// Takes an odd number with exactly `bits` bits, at least 4 fewer than `N` digits have. The time depends on lengths only.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn new(digits: &[u64; N], bits: usize, work: &mut Work) -> Self {
        let rest = (20..N - N % 20).step_by(20).map(|at| shared20(&digits[at..at + 20])).collect();
        let unknown = [0; N];
        let factor = negative_inverse(digits[0]);
        let mut modulus = Self { digits: *digits, rest, factor, one: unknown, r2: unknown, r3: unknown };
        // 2^bits mod m = 2^bits - m, because the highest bit of m is set. From there to R by doubling.
        let mut power = spread(&unknown);
        power[bits / RADIX as usize].store(all(1 << (bits % RADIX as usize)));
        modulus.subtract_if_reached(&mut power);
        let all_bits = N * RADIX as usize;
        (bits..all_bits).for_each(|_| modulus.double(&mut power));
        modulus.one = first(&power);
        // From R to R·2^k by doubling, where k·2^i = 52·N with an odd k; then i squares in Montgomery form lead to R·R.
        let squares = all_bits.trailing_zeros();
        (0..all_bits >> squares).for_each(|_| modulus.double(&mut power));
        (0..squares).for_each(|_| modulus.square(&mut power, work));
        modulus.r2 = first(&power);
        // R²·R²·R⁻¹ = R³.
        modulus.square(&mut power, work);
        modulus.r3 = first(&power);
        modulus
    }

    /// The lowest twenty digits.
    #[inline(always)]
    pub(super) fn low(&self) -> &[u64; 20] {
        self.digits.first_chunk().expect("every modulus has twenty digits or more")
    }

    /// a = a²·R⁻¹ mod m, below 2m.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn square(&self, a: &mut Number<N>, work: &mut Work) {
        square(a, work);
        reduce(self, work, a);
    }

    /// a = a·b·R⁻¹ mod m, below 2m.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn multiply(&self, a: &mut Number<N>, b: &Number<N>, work: &mut Work) {
        multiply(a, b, work);
        reduce(self, work, a);
    }

    /// Like [`multiply`](Self::multiply), by a number that all lanes share.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn multiply_shared(&self, a: &mut Number<N>, b: &[u64; N], work: &mut Work) {
        multiply_shared(a, b, work);
        reduce(self, work, a);
    }

    /// Leaves Montgomery form: a = a·R⁻¹ mod m, below m.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn leave(&self, a: &mut Number<N>, work: &mut Work) {
        work.t[..N].copy_from_slice(a);
        work.t[N..2 * N].fill(Lanes::ZERO);
        reduce(self, work, a);
        self.subtract_if_reached(a);
    }

    /// Subtracts m in the lanes that have reached it: a number below 2m becomes canonical.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn subtract_if_reached(&self, a: &mut Number<N>) {
        let mut difference = [zero(); N];
        let mut handed = zero();
        for ((difference, a), m) in difference.iter_mut().zip(&*a).zip(&self.digits) {
            let column = add(sub(a.load(), all(*m)), handed);
            *difference = digit(column);
            handed = carry(column);
        }
        // What the highest digit hands on is 0, or -1 where the difference is negative.
        for (a, difference) in a.iter_mut().zip(difference) {
            a.store(select(handed, a.load(), difference));
        }
    }

    /// The lanes in which a is below m, as masks.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn is_above(&self, a: &Number<N>) -> V {
        let mut handed = zero();
        for (a, m) in a.iter().zip(&self.digits) {
            handed = carry(add(sub(a.load(), all(*m)), handed));
        }
        handed
    }

    /// a = 2a mod m, for a canonical number.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn double(&self, a: &mut Number<N>) {
        let mut handed = zero();
        for a in a.iter_mut() {
            let column = add(add(a.load(), a.load()), handed);
            a.store(digit(column));
            handed = carry(column);
        }
        self.subtract_if_reached(a);
    }
}

impl<const N: usize> Drop for Modulus<N> {
    fn drop(&mut self) {
        for numbers in [&mut self.digits, &mut self.one, &mut self.r2, &mut self.r3] {
            numbers.zeroize();
        }
        self.factor.zeroize();
        for Shared20 { digits, sum, carry } in &mut self.rest {
            digits.zeroize();
            sum.zeroize();
            carry.zeroize();
        }
    }
}

impl<const N: usize> ZeroizeOnDrop for Modulus<N> {}

/// work.t = a².
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn square<const N: usize>(a: &Number<N>, work: &mut Work) {
    let Work { t, scratch, u, z, .. } = work;
    match N {
        20 => square20(part(a, 0), part_mut(t, 0)),
        30 => square30_scan(part(a, 0), part_mut(t, 0), u, &[[]; _], &[0; _], &mut []),
        40 => square40(part(a, 0), part_mut(t, 0), scratch),
        _ => square_wide(a, t, z, scratch),
    }
    debug_assert!(bounds::holds(&t[..2 * N], bounds::product(N)), "a column that may overflow");
    #[cfg(test)]
    fault::pass(Place::Columns, &mut t[..2 * N]);
}

/// work.t = a·b.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn multiply<const N: usize>(a: &Number<N>, b: &Number<N>, work: &mut Work) {
    let Work { t, scratch, u, z, .. } = work;
    match N {
        20 => multiply20(part(a, 0), part(b, 0), part_mut(t, 0)),
        30 => multiply30(part(a, 0), part(b, 0), part_mut(t, 0), u),
        40 => multiply40(part(a, 0), part(b, 0), part_mut(t, 0), scratch),
        _ => multiply_wide(a, b, t, z, scratch),
    }
    debug_assert!(bounds::holds(&t[..2 * N], bounds::product(N)), "a column that may overflow");
    #[cfg(test)]
    fault::pass(Place::Columns, &mut t[..2 * N]);
}

/// work.t = a·b for a number that all lanes share.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn multiply_shared<const N: usize>(a: &Number<N>, b: &[u64; N], work: &mut Work) {
    let Work { t, scratch, u, z, shared, .. } = work;
    for (place, b) in shared.iter_mut().zip(b) {
        place.store(all(*b));
    }
    match N {
        20 => multiply20(part(a, 0), part(shared, 0), part_mut(t, 0)),
        30 => multiply30(part(a, 0), part(shared, 0), part_mut(t, 0), u),
        40 => multiply40(part(a, 0), part(shared, 0), part_mut(t, 0), scratch),
        _ => multiply_wide(a, part(shared, 0), t, z, scratch),
    }
    debug_assert!(bounds::holds(&t[..2 * N], bounds::product(N)), "a column that may overflow");
}

/// The same number in all lanes.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn spread<const N: usize>(number: &[u64; N]) -> Number<N> {
    number.map(|digit| Lanes([digit; LANES]))
}

/// The number in the first lane.
pub(super) fn first<const N: usize>(number: &Number<N>) -> [u64; N] {
    number.map(|digit| digit.0[0])
}

/// -m⁻¹ mod 2^52 by Newton's method: each step doubles the number of correct bits, and one bit is correct at first.
fn negative_inverse(m: u64) -> u64 {
    let mut inverse = 1_u64;
    for _ in 0..6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(m.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg() & DIGIT
}

/// Twenty digits with the sum of their blocks.
fn shared20(digits: &[u64]) -> Shared20 {
    let mut shared = Shared20 { digits: [0; 20], sum: [0; 10], carry: 0 };
    shared.digits.copy_from_slice(digits);
    let (low, high) = digits.split_at(10);
    for ((sum, low), high) in shared.sum.iter_mut().zip(low).zip(high) {
        let column = low + high + shared.carry;
        *sum = column & DIGIT;
        shared.carry = column >> RADIX;
    }
    shared
}
