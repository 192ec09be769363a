//! Products and squares of forty digits, by Karatsuba's method over two halves of twenty; see `twenty` for the formula.

use seq_macro::seq;

use super::{
    scan::{Part, Wanted},
    twenty::{multiply20, square20, square20_scan},
    vector::{Lanes, V, add, add_where, carry, digit, keep, nonzero, sub, zero},
    work::{part, part_mut},
};

/// s = the digits of a0 + a1. Returns the last carry, 0 or 1.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn sum20(a0: &[Lanes; 20], a1: &[Lanes; 20], s: &mut [Lanes; 20]) -> V {
    let mut handed = zero();
    seq!(I in 0..20 {
        let column = add(add(a0[I].load(), a1[I].load()), handed);
        s[I].store(digit(column));
        handed = carry(column);
    });
    handed
}

/// Scratch memory of these products.
pub(super) struct Scratch {
    /// The product of the sums.
    pub(super) u: [Lanes; 40],
    /// The sums.
    pub(super) s: [Lanes; 20],
    pub(super) r: [Lanes; 20],
}

/// Puts the middle together: `t` has z0 and z2, `scratch.u` the product of the sums' digits. Where a sum carried, the digits
/// of the other sum are added. Columns stay below 101·2^52: see `bounds`.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn combine(t: &mut [Lanes; 80], Scratch { u, s, r }: &Scratch, ca: V, cb: V) {
    let (ka, kb) = (nonzero(ca), nonzero(cb));
    seq!(E in 0..20 {
        let difference = sub(t[20 + E].load(), t[40 + E].load());
        let low = add(difference, sub(u[E].load(), t[E].load()));
        let high = sub(u[20 + E].load(), add(difference, t[60 + E].load()));
        t[20 + E].store(low);
        t[40 + E].store(add_where(kb, add_where(ka, high, r[E].load()), s[E].load()));
    });
    t[60].store(add(t[60].load(), keep(ka, cb)));
}

/// The same for a square, in which the sums are equal.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn combine_square(t: &mut [Lanes; 80], Scratch { u, s, .. }: &Scratch, ca: V) {
    let carried = nonzero(ca);
    seq!(E in 0..20 {
        let difference = sub(t[20 + E].load(), t[40 + E].load());
        let low = add(difference, sub(u[E].load(), t[E].load()));
        let high = sub(u[20 + E].load(), add(difference, t[60 + E].load()));
        let sum = s[E].load();
        t[20 + E].store(low);
        t[40 + E].store(add_where(carried, high, add(sum, sum)));
    });
    t[60].store(add(t[60].load(), ca));
}

/// t = a², 990 multiplications, and twice `D` digits are looked up beside it.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn square40_scan<const D: usize>(
    a: &[Lanes; 40],
    t: &mut [Lanes; 80],
    scratch: &mut Scratch,
    table: [&Part<D>; 2],
    wanted: &Wanted,
    found: [&mut [Lanes; D]; 2],
) {
    let (a0, a1) = (part::<20>(a, 0), part::<20>(a, 20));
    let [found0, found1] = found;
    square20_scan(a0, part_mut(t, 0), table[0], wanted, found0);
    let ca = sum20(a0, a1, &mut scratch.s);
    square20_scan(a1, part_mut(t, 40), table[1], wanted, found1);
    square20(&scratch.s, &mut scratch.u);
    combine_square(t, scratch, ca);
}

/// t = a².
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn square40(a: &[Lanes; 40], t: &mut [Lanes; 80], scratch: &mut Scratch) {
    let (a0, a1) = (part::<20>(a, 0), part::<20>(a, 20));
    square20(a0, part_mut(t, 0));
    let ca = sum20(a0, a1, &mut scratch.s);
    square20(a1, part_mut(t, 40));
    square20(&scratch.s, &mut scratch.u);
    combine_square(t, scratch, ca);
}

/// t = a·b, 1800 multiplications.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn multiply40(a: &[Lanes; 40], b: &[Lanes; 40], t: &mut [Lanes; 80], scratch: &mut Scratch) {
    let (a0, a1) = (part::<20>(a, 0), part::<20>(a, 20));
    let (b0, b1) = (part::<20>(b, 0), part::<20>(b, 20));
    multiply20(a0, b0, part_mut(t, 0));
    let ca = sum20(a0, a1, &mut scratch.s);
    let cb = sum20(b0, b1, &mut scratch.r);
    multiply20(a1, b1, part_mut(t, 40));
    multiply20(&scratch.s, &scratch.r, &mut scratch.u);
    combine(t, scratch, ca, cb);
}
