//! Products and squares of sixty and eighty digits, by Karatsuba's method over all pairs of blocks of twenty; see `thirty` for
//! the formula. They are for the public exponent, so that their speed matters little.

use super::{
    forty::{Scratch, sum20},
    twenty::{multiply20, square20},
    vector::{Lanes, V, add, add_where, keep, nonzero, sub},
    work::{part, part_mut},
};

/// Adds the product of two sums, which is in `u`, to its columns of `t`, without the products zi and zj.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn add_cross(t: &mut [Lanes; 41], u: &[Lanes; 40], zi: &[Lanes; 40], zj: &[Lanes; 40], top: V) {
    for (((t, u), zi), zj) in t.iter_mut().zip(u).zip(zi).zip(zj) {
        t.store(add(t.load(), sub(u.load(), add(zi.load(), zj.load()))));
    }
    t[40].store(add(t[40].load(), top));
}

/// t = a² for `N` = 60 or 80. Column 2·`N` is there for the last pair's carries; it becomes 0. Columns
/// stay below 123·2^52 and 202·2^52: see `bounds`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn square_wide<const N: usize>(
    a: &[Lanes; N],
    t: &mut [Lanes; 161],
    z: &mut [Lanes; 160],
    scratch: &mut Scratch,
) {
    for i in 0..N / 20 {
        square20(part(a, 20 * i), part_mut(z, 40 * i));
    }
    t[..2 * N].copy_from_slice(&z[..2 * N]);
    t[2 * N] = Lanes::ZERO;
    for i in 0..N / 20 {
        for j in i + 1..N / 20 {
            let Scratch { u, s, .. } = scratch;
            let ca = sum20(part(a, 20 * i), part(a, 20 * j), s);
            square20(s, u);
            let carried = nonzero(ca);
            for (u, s) in u[20..].iter_mut().zip(s) {
                u.store(add_where(carried, u.load(), add(s.load(), s.load())));
            }
            add_cross(part_mut(t, 20 * (i + j)), u, part(z, 40 * i), part(z, 40 * j), ca);
        }
    }
}

/// t = a·b for `N` = 60 or 80, like [`square_wide`].
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn multiply_wide<const N: usize>(
    a: &[Lanes; N],
    b: &[Lanes; N],
    t: &mut [Lanes; 161],
    z: &mut [Lanes; 160],
    scratch: &mut Scratch,
) {
    for i in 0..N / 20 {
        multiply20(part(a, 20 * i), part(b, 20 * i), part_mut(z, 40 * i));
    }
    t[..2 * N].copy_from_slice(&z[..2 * N]);
    t[2 * N] = Lanes::ZERO;
    for i in 0..N / 20 {
        for j in i + 1..N / 20 {
            let Scratch { u, s, r } = scratch;
            let ca = sum20(part(a, 20 * i), part(a, 20 * j), s);
            let cb = sum20(part(b, 20 * i), part(b, 20 * j), r);
            multiply20(s, r, u);
            let (ka, kb) = (nonzero(ca), nonzero(cb));
            for ((u, s), r) in u[20..].iter_mut().zip(s).zip(r) {
                u.store(add_where(kb, add_where(ka, u.load(), r.load()), s.load()));
            }
            add_cross(part_mut(t, 20 * (i + j)), u, part(z, 40 * i), part(z, 40 * j), keep(ka, cb));
        }
    }
}
