//! Numbers for the kernels: random ones, and those at which carries go wrong.

use num_bigint_dig::{BigInt, BigUint};

use super::random::Random;
use crate::engine::{
    modulus::Number,
    vector::{DIGIT, LANES, Lanes, RADIX},
};

/// The kinds of digits that [`digits`] makes.
const KINDS: usize = 8;

/// `N` digits of one of the kinds, of which most make carries: all ones, zeros, blocks of them, the digits whose
/// square has two large halves, and mixtures.
pub(super) fn digits<const N: usize>(random: &mut Random) -> [u64; N] {
    let kind = random.below(KINDS);
    let block = [1, 5, 10, 20][random.below(4)];
    let phase = random.below(2);
    // The square of this digit has two halves just below 2^52.
    const HEAVY: u64 = DIGIT + 2 - (1 << 26);
    std::array::from_fn(|i| match kind {
        0 | 1 => random.bits() & DIGIT,
        2 => DIGIT,
        3 => {
            if i / block % 2 == phase {
                DIGIT
            } else {
                0
            }
        }
        4 => {
            if i / block % 2 == phase {
                DIGIT
            } else {
                1
            }
        }
        5 => HEAVY,
        6 => [0, 1, DIGIT, DIGIT - 1, HEAVY, random.bits() & DIGIT][random.below(6)],
        _ => {
            if i / block % 2 == phase {
                HEAVY
            } else {
                DIGIT + 1 - HEAVY
            }
        }
    })
}

/// Another number in each lane.
pub(super) fn number<const N: usize>(mut lane: impl FnMut(usize) -> [u64; N]) -> Number<N> {
    let mut number = [Lanes::ZERO; N];
    for index in 0..LANES {
        for (place, digit) in number.iter_mut().zip(lane(index)) {
            place.0[index] = digit;
        }
    }
    number
}

/// The value of a lane's digits or columns.
pub(super) fn value(columns: &[Lanes], lane: usize) -> BigInt {
    columns
        .iter()
        .rev()
        .fold(BigInt::default(), |sum, column| (sum << RADIX as usize) + column.0[lane].cast_signed())
}

/// The value of digits.
pub(super) fn unsigned(digits: &[u64]) -> BigUint {
    digits.iter().rev().fold(BigUint::default(), |sum, digit| (sum << RADIX as usize) + *digit)
}

/// The digits of a value.
pub(super) fn split<const N: usize>(value: &BigUint) -> [u64; N] {
    crate::engine::convert::digits(&value.to_bytes_be())
}
