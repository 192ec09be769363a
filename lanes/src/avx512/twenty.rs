//! Products and squares of twenty digits, by one level of Karatsuba's method over blocks of ten.
//!
//! Let X = 2^520, a = a0 + a1·X and b = b0 + b1·X. Then a·b = z0 + (z1 - z0 - z2)·X + z2·X², with z0 = a0·b0, z2 = a1·b1 and
//! z1 = (a0 + a1)·(b0 + b1): three products of blocks instead of four.
//!
//! The sums are carried, and their last carries ca and cb are 0 or 1: a0 + a1 = s + ca·X and b0 + b1 = r + cb·X. Therefore
//! z1 = s·r + (ca·r + cb·s)·X + ca·cb·X². The lanes' masks add what the carries contribute.

use seq_macro::seq;

use super::{
    block::{
        BLOCK, add_half_product, load, meets, meets_high, partner, partner_high, spread, square_columns, sum,
    },
    scan::{Part, Scan, Wanted},
    vector::{Lanes, V, add, add_where, all, hi, keep, lo, nonzero, sub, zero},
};

/// t = a², 330 multiplications, while `scan` makes its steps. Columns stay below 38·2^52: see `bounds`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn square_beside<const D: usize>(a: &[Lanes; 20], t: &mut [Lanes; 40], scan: &mut Scan<'_, D>) {
    let nothing = [zero(); 20];
    let low: [V; BLOCK] = load!(a, 0);
    square_columns!(low, nothing, C, column => {
        t[C].store(column);
        scan.step::<C, 60>();
    });
    // The chain of carries stands here, and not where its result is needed, because multiplications run beside it here.
    let high: [V; BLOCK] = load!(a, 10);
    let (s, ca) = sum(&low, &high);
    square_columns!(high, nothing, C, column => {
        t[20 + C].store(column);
        scan.step::<{ 20 + C }, 60>();
    });
    // 2·ca·s, of which square_columns doubles each value.
    let carried = nonzero(ca);
    let mut start = nothing;
    seq!(I in 0..10 { start[10 + I] = keep(carried, s[I]); });
    let mut difference = [zero(); BLOCK];
    square_columns!(s, start, C, column => {
        let middle = if C < BLOCK {
            difference[C % 10] = sub(t[10 + C].load(), t[20 + C].load());
            add(column, sub(difference[C % 10], t[C].load()))
        } else {
            sub(column, add(difference[C % 10], t[20 + C].load()))
        };
        t[10 + C].store(middle);
        scan.step::<{ 40 + C }, 60>();
    });
    t[30].store(add(t[30].load(), ca));
}

/// t = a².
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn square20(a: &[Lanes; 20], t: &mut [Lanes; 40]) {
    let nothing = [[]; _];
    square_beside::<0>(a, t, &mut Scan::new(&nothing, &[0; _]));
}

/// t = a², and `D` digits are looked up beside it.
///
/// This is not inlined, as the other kernels are not, so that LLVM allocates its registers for it alone.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn square20_scan<const D: usize>(
    a: &[Lanes; 20],
    t: &mut [Lanes; 40],
    part: &Part<D>,
    wanted: &Wanted,
    found: &mut [Lanes; D],
) {
    let mut scan = Scan::new(part, wanted);
    square_beside(a, t, &mut scan);
    scan.store(found);
}

/// The digits of b0 + b1, and its carry.
type Sum = ([V; BLOCK], V);

/// What the last carries of two sums add at column 10: ca·r + cb·s.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn by_carries((s, ca): &Sum, (r, cb): &Sum) -> [V; BLOCK] {
    let (ka, kb) = (nonzero(*ca), nonzero(*cb));
    seq!(I in 0..10 { [#(add_where(kb, keep(ka, r[I]), s[I]),)*] })
}

/// t = a·b, 600 multiplications. Columns stay below 38·2^52: see `bounds`.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn multiply20(a: &[Lanes; 20], b: &[Lanes; 20], t: &mut [Lanes; 40]) {
    let (a0, b0): ([V; BLOCK], [V; BLOCK]) = (load!(a, 0), load!(b, 0));
    let mut z = [zero(); BLOCK];
    add_half_product!(0, z, a0, b0);
    seq!(C in 0..10 { t[C].store(z[C]); });
    z = [zero(); BLOCK];
    add_half_product!(10, z, a0, b0);
    seq!(C in 0..10 { t[10 + C].store(z[C]); });

    let (a1, b1): ([V; BLOCK], [V; BLOCK]) = (load!(a, 10), load!(b, 10));
    let (s, r) = (sum(&a0, &a1), sum(&b0, &b1));
    z = [zero(); BLOCK];
    add_half_product!(0, z, a1, b1);
    seq!(C in 0..10 { t[20 + C].store(z[C]); });
    z = [zero(); BLOCK];
    add_half_product!(10, z, a1, b1);
    seq!(C in 0..10 { t[30 + C].store(z[C]); });

    let carries = by_carries(&s, &r);
    let ((s, ca), (r, cb)) = (s, r);
    let mut start = [zero(); BLOCK];
    seq!(C in 0..10 {
        let difference = sub(t[10 + C].load(), t[20 + C].load());
        z[C] = sub(difference, t[C].load());
        start[C] = sub(carries[C], add(difference, t[30 + C].load()));
    });
    add_half_product!(0, z, s, r);
    seq!(C in 0..10 { t[10 + C].store(z[C]); });
    add_half_product!(10, start, s, r);
    seq!(C in 0..10 { t[20 + C].store(start[C]); });
    t[30].store(add(t[30].load(), keep(nonzero(ca), cb)));
}

/// Twenty digits that all lanes share, with the sum of their blocks.
#[derive(Clone)]
pub(super) struct Shared20 {
    pub(super) digits: [u64; 20],
    pub(super) sum: [u64; BLOCK],
    /// The last carry of the sum, 0 or 1.
    pub(super) carry: u64,
}

/// t += a·b, 600 multiplications, which adds less than 38·2^52 to a column: see `bounds`. `u` is overwritten.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn add_product20(a: &[Lanes; 20], b: &Shared20, t: &mut [Lanes; 40], u: &mut [Lanes; 40]) {
    let (a0, b0): ([V; BLOCK], [V; BLOCK]) = (load!(a, 0), spread!(b.digits));
    let mut z = [zero(); BLOCK];
    add_half_product!(0, z, a0, b0);
    seq!(C in 0..10 {
        u[C].store(z[C]);
        t[C].store(add(t[C].load(), z[C]));
    });
    z = [zero(); BLOCK];
    add_half_product!(10, z, a0, b0);
    seq!(C in 0..10 { u[10 + C].store(z[C]); });

    let (a1, b1): ([V; BLOCK], [V; BLOCK]) = (load!(a, 10), seq!(I in 10..20 { [#(all(b.digits[I]),)*] }));
    let s = sum(&a0, &a1);
    z = [zero(); BLOCK];
    add_half_product!(0, z, a1, b1);
    seq!(C in 0..10 { u[20 + C].store(z[C]); });
    z = [zero(); BLOCK];
    add_half_product!(10, z, a1, b1);
    seq!(C in 0..10 {
        u[30 + C].store(z[C]);
        t[30 + C].store(add(t[30 + C].load(), z[C]));
    });

    let r: Sum = (spread!(b.sum), all(b.carry));
    let carries = by_carries(&s, &r);
    let ((s, ca), (r, cb)) = (s, r);
    let mut start = [zero(); BLOCK];
    seq!(C in 0..10 {
        let difference = sub(u[10 + C].load(), u[20 + C].load());
        z[C] = add(t[10 + C].load(), sub(difference, u[C].load()));
        start[C] = add(t[20 + C].load(), sub(carries[C], add(difference, u[30 + C].load())));
    });
    add_half_product!(0, z, s, r);
    seq!(C in 0..10 { t[10 + C].store(z[C]); });
    add_half_product!(10, start, s, r);
    seq!(C in 0..10 { t[20 + C].store(start[C]); });
    t[30].store(add(t[30].load(), keep(nonzero(ca), cb)));
}

/// t += a·b for ten digits by ten that all lanes share, 200 multiplications, which adds less than 19·2^52 to a column.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn add_product10(a: &[Lanes; BLOCK], b: &[u64; BLOCK], t: &mut [Lanes; 20]) {
    let (a, b): ([V; BLOCK], [V; BLOCK]) = (load!(a, 0), spread!(b));
    let mut z: [V; BLOCK] = load!(t, 0);
    add_half_product!(0, z, a, b);
    seq!(C in 0..10 { t[C].store(z[C]); });
    z = load!(t, 10);
    add_half_product!(10, z, a, b);
    seq!(C in 0..10 { t[10 + C].store(z[C]); });
}
