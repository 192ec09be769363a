//! Exponentiation with secret exponents: fixed windows, tables read as a whole, two primes in turns.
//!
//! The two exponentiations of the CRT do not depend on each other. In turns, the chains of carries at the end of one reduction
//! run beside the multiplications of the other prime's next square.

use zeroize::{Zeroize, ZeroizeOnDrop};

#[cfg(test)]
use super::fault::{self, Place};
use super::{
    bounds,
    forty::square40_scan,
    modulus::{Modulus, Number, multiply, spread},
    reduce::reduce,
    scan::{ENTRIES, Part, WINDOW, Wanted, look_up, wanted},
    thirty::square30_scan,
    twenty::square20_scan,
    vector::Lanes,
    wipe::{Zeroed, wipe},
    work::{Work, part, part_mut},
};

/// A secret exponent in 64-bit words, least significant first. Its length is that of the prime, whatever its value.
pub(super) struct Exponent(pub(super) Vec<u64>);

impl Exponent {
    /// Takes a big-endian number of exactly `bytes.len()` bytes, a multiple of eight.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let word = |bytes: &[u8; 8]| u64::from_be_bytes(*bytes);
        Self(bytes.as_rchunks().1.iter().rev().map(word).collect())
    }

    /// The masks by which the entry of window `i` is kept. The window is nowhere else, and is in no address and no condition.
    #[inline(never)]
    fn wanted(&self, i: usize) -> Wanted {
        wanted(self.window(i))
    }

    /// How many windows the exponent has. The first one may be shorter.
    fn windows(&self) -> usize {
        (64 * self.0.len()).div_ceil(WINDOW)
    }

    /// The value of window `i`, counted from the least significant. The position is public.
    #[inline(always)]
    fn window(&self, i: usize) -> u64 {
        let (word, shift) = (i * WINDOW / 64, i * WINDOW % 64);
        let next = self.0.get(word + 1).copied().unwrap_or(0);
        // Shifted in two steps, because a shift by 64 is none.
        (self.0[word] >> shift | next << 1 << (63 - shift)) & (ENTRIES as u64 - 1)
    }
}

impl Drop for Exponent {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Exponent {}

/// The powers 0 to 31 of a number, in parts of `D` digits, `P` of them: `N` = `D`·`P` digits. It is wiped when dropped.
pub(super) struct Table<const D: usize, const P: usize>([Part<D>; P]);

// SAFETY: it consists of numbers, and is not empty.
unsafe impl<const D: usize, const P: usize> Zeroed for Table<D, P> {}

impl<const D: usize, const P: usize> Table<D, P> {
    fn put(&mut self, entry: usize, number: &[Lanes]) {
        for (part, digits) in self.0.iter_mut().zip(number.as_chunks().0) {
            part[entry] = *digits;
        }
    }

    /// An entry of a public index.
    fn entry(&self, entry: usize, number: &mut [Lanes]) {
        for (part, digits) in self.0.iter().zip(number.as_chunks_mut().0) {
            *digits = part[entry];
        }
    }
}

impl<const D: usize, const P: usize> Drop for Table<D, P> {
    fn drop(&mut self) {
        wipe(self.0.as_flattened_mut().as_flattened_mut());
    }
}

/// One of the exponentiations.
pub(super) struct Chain<'a, const N: usize, const D: usize, const P: usize> {
    pub(super) modulus: &'a Modulus<N>,
    pub(super) exponent: &'a Exponent,
    pub(super) number: &'a mut Number<N>,
    pub(super) table: &'a mut Table<D, P>,
    /// The table's entry that the next product takes, part by part.
    pub(super) found: &'a mut [[Lanes; D]; P],
}

impl<const N: usize, const D: usize, const P: usize> Chain<'_, N, D, P> {
    /// Fills the table with the powers of the number.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn fill(&mut self, work: &mut Work) {
        self.table.put(0, &spread(&self.modulus.one));
        self.table.put(1, self.number);
        let found = self.found.as_flattened_mut();
        for entry in 2..ENTRIES {
            let power: &mut Number<N> = part_mut(found, 0);
            if entry % 2 == 0 {
                self.table.entry(entry / 2, power);
                self.modulus.square(power, work);
            } else {
                // It still has the power before.
                self.modulus.multiply(power, self.number, work);
            }
            self.table.put(entry, power);
        }
        #[cfg(test)]
        fault::pass(Place::Table, self.table.0.as_flattened_mut().as_flattened_mut());
    }

    /// Starts with the power of the first window.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn start(&mut self) {
        let wanted = self.exponent.wanted(self.exponent.windows() - 1);
        for (part, found) in self.table.0.iter().zip(self.found.iter_mut()) {
            look_up(part, &wanted, found);
        }
        self.number.copy_from_slice(self.found.as_flattened());
    }

    /// Squares, the `k`th time in this window, and looks up a fifth of the window's factor.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn square(&mut self, k: usize, wanted: &Wanted, work: &mut Work) {
        let Work { t, scratch, u, .. } = work;
        let number = &self.number[..];
        let (table, found) = (&self.table.0, &mut self.found[..]);
        match N {
            20 => square20_scan(part(number, 0), part_mut(t, 0), &table[k], wanted, &mut found[k]),
            30 => square30_scan(part(number, 0), part_mut(t, 0), u, &table[k], wanted, &mut found[k]),
            40 => {
                let (tables, found) = ([&table[2 * k], &table[2 * k + 1]], &mut found[2 * k..]);
                let [first, second, ..] = found else { unreachable!("forty digits have ten parts") };
                square40_scan(part(number, 0), part_mut(t, 0), scratch, tables, wanted, [first, second]);
            }
            _ => unreachable!("primes have twenty, thirty or forty digits"),
        }
        debug_assert!(bounds::holds(&work.t[..2 * N], bounds::product(N)), "a column that may overflow");
        #[cfg(test)]
        fault::pass(Place::Columns, &mut work.t[..2 * N]);
        reduce(self.modulus, work, self.number);
    }

    /// Multiplies by the power of the window.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn multiply(&mut self, work: &mut Work) {
        #[cfg(test)]
        fault::pass(Place::Factor, self.found.as_flattened_mut());
        multiply(self.number, part(self.found.as_flattened(), 0), work);
        reduce(self.modulus, work, self.number);
    }
}

/// Raises the number of each chain to the chain's exponent, in Montgomery form, in place. The exponents must be of equal length.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn powers<const N: usize, const D: usize, const P: usize>(
    [a, b]: &mut [Chain<'_, N, D, P>; 2],
    work: &mut Work,
) {
    const { assert!(D * P == N && (P == WINDOW || P == 2 * WINDOW)) };
    a.fill(work);
    b.fill(work);
    a.start();
    b.start();
    for window in (0..a.exponent.windows() - 1).rev() {
        let (wanted_a, wanted_b) = (a.exponent.wanted(window), b.exponent.wanted(window));
        for k in 0..WINDOW {
            a.square(k, &wanted_a, work);
            b.square(k, &wanted_b, work);
        }
        #[cfg(test)]
        if super::leak::leaves_out(|| a.exponent.window(window)) {
            continue;
        }
        a.multiply(work);
        b.multiply(work);
    }
}
