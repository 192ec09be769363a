//! Numbers as big-endian bytes, and as digits in lanes.

use super::{
    modulus::Number,
    vector::{DIGIT, Lanes, RADIX},
};

/// Bytes of a key's modulus with `n` digits: 512 bits for every ten digits.
pub(super) const fn modulus_len(n: usize) -> usize {
    n / 10 * 64
}

/// The digits of a big-endian number.
pub(super) fn digits<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut digits = [0; N];
    // Bits that were read and are not yet part of a digit; fewer than 52 between digits.
    let (mut pending, mut count) = (0_u128, 0);
    let mut digit = digits.iter_mut();
    let words =
        bytes.rchunks(8).map(|word| word.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)));
    for word in words {
        pending |= u128::from(word) << count;
        count += 64;
        while count >= RADIX {
            if let Some(digit) = digit.next() {
                *digit = pending as u64 & DIGIT;
            }
            pending >>= RADIX;
            count -= RADIX;
        }
    }
    if let Some(digit) = digit.next() {
        *digit = pending as u64;
    }
    digits
}

/// Writes digits as a big-endian number that fits `bytes`.
pub(super) fn write(digits: impl Iterator<Item = u64>, bytes: &mut [u8]) {
    let (mut pending, mut count) = (0_u128, 0);
    let mut digits = digits.fuse();
    for byte in bytes.iter_mut().rev() {
        if count < 8 {
            pending |= u128::from(digits.next().unwrap_or(0)) << count;
            count += RADIX;
        }
        *byte = pending as u8;
        pending >>= 8;
        count -= 8;
    }
}

/// Puts a big-endian number into a lane.
pub(super) fn set_lane<const N: usize>(number: &mut Number<N>, lane: usize, bytes: &[u8]) {
    for (place, digit) in number.iter_mut().zip(digits::<N>(bytes)) {
        place.0[lane] = digit;
    }
}

/// The digits of a lane.
pub(super) fn lane(number: &[Lanes], lane: usize) -> impl Iterator<Item = u64> {
    number.iter().map(move |digit| digit.0[lane])
}
