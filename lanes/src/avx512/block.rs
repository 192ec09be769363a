//! Blocks of ten digits, the unit of every product: unrolled squares, products and sums in registers.
//!
//! The macros expand to straight code, in which each column is one chain of `vpmadd52`. The chains of ten columns stand beside
//! each other, so that the latency of one hides behind the others.

use super::vector::{V, add, carry, digit, zero};

/// Digits of a block.
pub(super) const BLOCK: usize = 10;

/// Whether digit `i` of one factor meets a digit of the other in the low half of their product at column `c`.
#[inline(always)]
pub(super) const fn meets(c: usize, i: usize) -> bool {
    i <= c && c - i < BLOCK
}

/// The digit of the other factor. It is 0, and not used, if there is none.
#[inline(always)]
pub(super) const fn partner(c: usize, i: usize) -> usize {
    if meets(c, i) { c - i } else { 0 }
}

/// Like [`meets`], for the high half, which belongs one column higher.
#[inline(always)]
pub(super) const fn meets_high(c: usize, i: usize) -> bool {
    c > 0 && meets(c - 1, i)
}

/// Like [`partner`], for the high half.
#[inline(always)]
pub(super) const fn partner_high(c: usize, i: usize) -> usize {
    if meets_high(c, i) { c - 1 - i } else { 0 }
}

/// Loads ten digits from `$at` on.
macro_rules! load {
    ($from:expr, $at:expr) => {
        seq!(I in 0..10 { [#($from[$at + I].load(),)*] })
    };
}

/// Puts one digit of the modulus into all lanes, ten times.
macro_rules! spread {
    ($from:expr) => {
        seq!(I in 0..10 { [#(all($from[I]),)*] })
    };
}

/// Adds the columns `$from..$from + 10` of x·y to `$acc`, with `$from` 0 or 10: 100 multiplications.
macro_rules! add_half_product {
    ($from:literal, $acc:ident, $x:ident, $y:ident) => {
        seq!(I in 0..10 { seq!(C in 0..10 {
            if meets($from + C, I) {
                $acc[C] = lo($acc[C], $x[I], $y[partner($from + C, I)]);
            }
            if meets_high($from + C, I) {
                $acc[C] = hi($acc[C], $x[I], $y[partner_high($from + C, I)]);
            }
        }); });
    };
}

/// The twenty columns of a²: 110 multiplications. `$start` has twenty values that are added twice. For each column
/// `$c`, in order, `$v` is bound to its value and `$body` runs.
macro_rules! square_columns {
    ($a:ident, $start:ident, $c:ident, $v:ident => $body:block) => {
        seq!($c in 0..20 {
            let mut column = $start[$c];
            seq!(I in 0..10 {
                if 2 * I < $c && meets($c, I) {
                    column = lo(column, $a[I], $a[partner($c, I)]);
                }
                if 2 * I + 1 < $c && meets_high($c, I) {
                    column = hi(column, $a[I], $a[partner_high($c, I)]);
                }
            });
            column = add(column, column);
            let middle = $a[$c / 2];
            let $v = if $c % 2 == 0 { lo(column, middle, middle) } else { hi(column, middle, middle) };
            $body
        })
    };
}

pub(super) use {add_half_product, load, spread, square_columns};

/// The digits of a sum of two blocks, and its carry, which is 0 or 1.
///
/// `vpmadd52` takes 52 bits of a factor, so a sum has to be carried before it can be one.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn sum(a: &[V; BLOCK], b: &[V; BLOCK]) -> ([V; BLOCK], V) {
    let (mut digits, mut handed) = ([zero(); BLOCK], zero());
    seq_macro::seq!(I in 0..10 {
        let column = add(add(a[I], b[I]), handed);
        digits[I] = digit(column);
        handed = carry(column);
    });
    (digits, handed)
}
