//! Products and squares of thirty digits, by Karatsuba's method over all pairs of three blocks of ten.
//!
//! Let X = 2^520 and zi = ai·bi. The product is z0 + (u01 - z0 - z1)·X + (u02 - z0 - z2 + z1)·X² + (u12 - z1 - z2)·X³ + z2·X⁴
//! with uij = (ai + aj)·(bi + bj): six products of blocks instead of nine.

use seq_macro::seq;

use super::{
    block::{BLOCK, add_half_product, load, meets, meets_high, partner, partner_high, square_columns, sum},
    scan::{Part, Scan, Wanted},
    vector::{Lanes, V, add, add_where, hi, keep, lo, nonzero, sub, zero},
    work::{part, part_mut},
};

/// t = a·b for blocks of ten. Columns stay below 19·2^52.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply10(a: &[Lanes; BLOCK], b: &[Lanes; BLOCK], t: &mut [Lanes; 20]) {
    let (a, b): ([V; BLOCK], [V; BLOCK]) = (load!(a, 0), load!(b, 0));
    let mut z = [zero(); BLOCK];
    add_half_product!(0, z, a, b);
    seq!(C in 0..10 { t[C].store(z[C]); });
    z = [zero(); BLOCK];
    add_half_product!(10, z, a, b);
    seq!(C in 0..10 { t[10 + C].store(z[C]); });
}

/// u = (a0 + a1)·(b0 + b1), but for the product of the sums' carries, which is returned and belongs to column 20.
/// Columns stay below 21·2^52.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply_sums10(a: [&[Lanes; BLOCK]; 2], b: [&[Lanes; BLOCK]; 2], u: &mut [Lanes; 20]) -> V {
    let (s, ca) = sum(&load!(a[0], 0), &load!(a[1], 0));
    let (r, cb) = sum(&load!(b[0], 0), &load!(b[1], 0));
    let (ka, kb) = (nonzero(ca), nonzero(cb));
    let mut z = [zero(); BLOCK];
    add_half_product!(0, z, s, r);
    seq!(C in 0..10 { u[C].store(z[C]); });
    seq!(C in 0..10 { z[C] = add_where(kb, keep(ka, r[C]), s[C]); });
    add_half_product!(10, z, s, r);
    seq!(C in 0..10 { u[10 + C].store(z[C]); });
    keep(ka, cb)
}

/// u = (a0 + a1)², but for the square of the sum's carry, which is returned and belongs to column 20. Columns stay
/// below 21·2^52.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn square_sum10(a0: &[Lanes; BLOCK], a1: &[Lanes; BLOCK], u: &mut [Lanes; 20]) -> V {
    let (s, ca) = sum(&load!(a0, 0), &load!(a1, 0));
    let carried = nonzero(ca);
    let mut start = [zero(); 20];
    seq!(I in 0..10 { start[10 + I] = keep(carried, s[I]); });
    square_columns!(s, start, C, column => { u[C].store(column); });
    ca
}

/// Column `$e` of the low and high halves of three products.
macro_rules! halves {
    ($columns:ident, $e:literal) => {
        [
            $columns[$e].load(),
            $columns[10 + $e].load(),
            $columns[20 + $e].load(),
            $columns[30 + $e].load(),
            $columns[40 + $e].load(),
            $columns[50 + $e].load(),
        ]
    };
}

/// Puts the product together: `t` has z0, z1 and z2, `u` has u01, u02 and u12, and `tops` their highest columns.
/// Columns stay below 41·2^52: see `bounds`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn combine(t: &mut [Lanes; 60], u: &[Lanes; 60], tops: [V; 3]) {
    seq!(E in 0..10 {
        let (own, cross) = (halves!(t, E), halves!(u, E));
        let p = sub(own[1], own[2]);
        let q = sub(own[3], own[4]);
        t[10 + E].store(add(sub(cross[0], own[0]), p));
        t[20 + E].store(add(sub(sub(cross[1], own[3]), p), sub(sub(cross[2], own[0]), own[4])));
        t[30 + E].store(add(add(sub(cross[4], own[2]), q), sub(sub(cross[3], own[1]), own[5])));
        t[40 + E].store(sub(sub(cross[5], own[5]), q));
    });
    seq!(I in 0..3 { t[30 + 10 * I].store(add(t[30 + 10 * I].load(), tops[I])); });
}

/// t = a², 660 multiplications, and `D` digits are looked up beside it. `u` is overwritten.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn square30_scan<const D: usize>(
    a: &[Lanes; 30],
    t: &mut [Lanes; 60],
    u: &mut [Lanes; 60],
    table: &Part<D>,
    wanted: &Wanted,
    found: &mut [Lanes; D],
) {
    let mut scan = Scan::new(table, wanted);
    let blocks: [&[Lanes; BLOCK]; 3] = [part(a, 0), part(a, 10), part(a, 20)];
    let nothing = [zero(); 20];
    let a0: [V; BLOCK] = load!(blocks[0], 0);
    square_columns!(a0, nothing, C, column => {
        t[C].store(column);
        scan.step::<C, 60>();
    });
    let top01 = square_sum10(blocks[0], blocks[1], part_mut(u, 0));
    let a1: [V; BLOCK] = load!(blocks[1], 0);
    square_columns!(a1, nothing, C, column => {
        t[20 + C].store(column);
        scan.step::<{ 20 + C }, 60>();
    });
    let top02 = square_sum10(blocks[0], blocks[2], part_mut(u, 20));
    let a2: [V; BLOCK] = load!(blocks[2], 0);
    square_columns!(a2, nothing, C, column => {
        t[40 + C].store(column);
        scan.step::<{ 40 + C }, 60>();
    });
    let top12 = square_sum10(blocks[1], blocks[2], part_mut(u, 40));
    combine(t, u, [top01, top02, top12]);
    scan.store(found);
}

/// t = a·b, 1200 multiplications. `u` is overwritten.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn multiply30(a: &[Lanes; 30], b: &[Lanes; 30], t: &mut [Lanes; 60], u: &mut [Lanes; 60]) {
    let a: [&[Lanes; BLOCK]; 3] = [part(a, 0), part(a, 10), part(a, 20)];
    let b: [&[Lanes; BLOCK]; 3] = [part(b, 0), part(b, 10), part(b, 20)];
    multiply10(a[0], b[0], part_mut(t, 0));
    let top01 = multiply_sums10([a[0], a[1]], [b[0], b[1]], part_mut(u, 0));
    multiply10(a[1], b[1], part_mut(t, 20));
    let top02 = multiply_sums10([a[0], a[2]], [b[0], b[2]], part_mut(u, 20));
    multiply10(a[2], b[2], part_mut(t, 40));
    let top12 = multiply_sums10([a[1], a[2]], [b[1], b[2]], part_mut(u, 40));
    combine(t, u, [top01, top02, top12]);
}
