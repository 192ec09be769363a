//! Montgomery's reduction, row by row, with the columns in registers.
//!
//! A row makes the lowest column a multiple of 2^52 by adding the modulus times a quotient digit, and hands what remains of that
//! column to the next one.

use std::arch::asm;

use seq_macro::seq;

use super::{
    bounds,
    modulus::Modulus,
    twenty::{add_product10, add_product20},
    vector::{DIGIT, Lanes, V, add, all, carry, digit, lo, zero},
    work::{Work, part, part_mut},
};

/// Rows of a reduction by a modulus of twenty digits, 40 multiplications each. Twenty rows add less than 40·2^52 to a column, so the sums
/// stay below 2^61: see `bounds`. `$columns` has the first twenty columns;
/// row `$i` loads column `$i` + 20 from `$t`. `$quotient` is bound to each quotient digit.
///
/// The row is in assembly for the place of one instruction. The one chain that order alone cannot hide is: quotient digit → its
/// first two products → next column → next quotient digit. The processor issues the oldest instruction first, so the next digit
/// is computed in the middle of the row; at its end, each row would wait for it. LLVM would also keep digits of the modulus in
/// registers, until it spills columns.
macro_rules! rows {
    ($rows:literal, $columns:ident, $t:ident, $modulus:ident, $factor:ident, $i:ident, $quotient:ident => $body:block) => {
        let (factor, round_up) = (all($factor), all(DIGIT));
        let mut next = lo(zero(), $columns[0], factor);
        seq!($i in 0..$rows {
            let $quotient = next;
            $body
            // The column becomes 0 by construction. It hands on itself, rounded up, which saves the multiplication that
            // would have made the zero: the low half of the quotient digit times the modulus' lowest digit.
            $columns[$i + 1] = add($columns[$i + 1], carry(add($columns[$i], round_up)));
            // SAFETY: the block reads the twenty digits of the modulus and one column of `t`, and writes registers.
            unsafe {
                asm!(
                    "vmovdqa64 {top}, zmmword ptr [{t}]",
                    row!(),
                    m = in(reg) $modulus.as_ptr(), t = in(reg) &raw const $t[$i + 20], u = in(zmm_reg) $quotient,
                    factor = in(zmm_reg) factor, next = out(zmm_reg) next, top = out(zmm_reg) $columns[$i + 20],
                    c1 = inout(zmm_reg) $columns[$i + 1], c2 = inout(zmm_reg) $columns[$i + 2],
                    c3 = inout(zmm_reg) $columns[$i + 3], c4 = inout(zmm_reg) $columns[$i + 4],
                    c5 = inout(zmm_reg) $columns[$i + 5], c6 = inout(zmm_reg) $columns[$i + 6],
                    c7 = inout(zmm_reg) $columns[$i + 7], c8 = inout(zmm_reg) $columns[$i + 8],
                    c9 = inout(zmm_reg) $columns[$i + 9], c10 = inout(zmm_reg) $columns[$i + 10],
                    c11 = inout(zmm_reg) $columns[$i + 11], c12 = inout(zmm_reg) $columns[$i + 12],
                    c13 = inout(zmm_reg) $columns[$i + 13], c14 = inout(zmm_reg) $columns[$i + 14],
                    c15 = inout(zmm_reg) $columns[$i + 15], c16 = inout(zmm_reg) $columns[$i + 16],
                    c17 = inout(zmm_reg) $columns[$i + 17], c18 = inout(zmm_reg) $columns[$i + 18],
                    c19 = inout(zmm_reg) $columns[$i + 19],
                    options(nostack, preserves_flags, readonly, pure)
                );
            }
        });
        // The last row computes a quotient digit that nothing uses.
        let _ = next;
    };
}

/// The instructions of a row: the quotient digit `u` times the modulus at `m`. Column `K` takes the high half of the product with
/// digit `K` - 1 and the low half of the product with digit `K`.
macro_rules! row {
    () => {
        concat!(
            products!("1", "0", "8"),
            products!("2", "8", "16"),
            products!("3", "16", "24"),
            products!("4", "24", "32"),
            products!("5", "32", "40"),
            products!("6", "40", "48"),
            products!("7", "48", "56"),
            products!("8", "56", "64"),
            products!("9", "64", "72"),
            products!("10", "72", "80"),
            "vpxorq {next}, {next}, {next}\nvpmadd52luq {next}, {c1}, {factor}\n",
            products!("11", "80", "88"),
            products!("12", "88", "96"),
            products!("13", "96", "104"),
            products!("14", "104", "112"),
            products!("15", "112", "120"),
            products!("16", "120", "128"),
            products!("17", "128", "136"),
            products!("18", "136", "144"),
            products!("19", "144", "152"),
            "vpmadd52huq {top}, {u}, qword ptr [{m} + 152]{{1to8}}",
        )
    };
}

macro_rules! products {
    ($column:literal, $high:literal, $low:literal) => {
        concat!(
            "vpmadd52huq {c",
            $column,
            "}, {u}, qword ptr [{m} + ",
            $high,
            "]{{1to8}}\n",
            "vpmadd52luq {c",
            $column,
            "}, {u}, qword ptr [{m} + ",
            $low,
            "]{{1to8}}\n",
        )
    };
}

/// out = t·R⁻¹ modulo a modulus of twenty digits, 800 multiplications.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn reduce20(t: &[Lanes; 40], modulus: &[u64; 20], factor: u64, out: &mut [Lanes; 20]) {
    let mut columns: [V; 40] = [zero(); 40];
    seq!(I in 0..20 { columns[I] = t[I].load(); });
    rows!(20, columns, t, modulus, factor, I, _quotient => {});
    let mut handed = zero();
    seq!(I in 0..20 {
        let column = add(columns[20 + I], handed);
        out[I].store(digit(column));
        handed = carry(column);
    });
    // Nothing is handed on by the highest digit, because the result is below R.
    let _ = handed;
}

/// Twenty rows by the lowest twenty digits of a longer modulus. The lowest twenty columns become 0, which is not written;
/// `quotient` gets the quotient's digits.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn twenty_rows(t: &mut [Lanes; 40], quotient: &mut [Lanes; 20], modulus: &[u64; 20], factor: u64) {
    let mut columns: [V; 40] = [zero(); 40];
    seq!(I in 0..20 { columns[I] = t[I].load(); });
    rows!(20, columns, t, modulus, factor, I, digit => { quotient[I].store(digit); });
    seq!(I in 20..40 { t[I].store(columns[I]); });
}

/// The same with ten rows.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
fn ten_rows(t: &mut [Lanes; 40], quotient: &mut [Lanes; 20], modulus: &[u64; 20], factor: u64) {
    let mut columns: [V; 40] = [zero(); 40];
    seq!(I in 0..20 { columns[I] = t[I].load(); });
    rows!(10, columns, t, modulus, factor, I, digit => { quotient[I].store(digit); });
    seq!(I in 10..30 { t[I].store(columns[I]); });
}

/// out = work.t·R⁻¹ mod m, below 2m.
///
/// Twenty rows at a time, and the ten that remain of thirty: first with the lowest twenty digits of the modulus, which makes the
/// quotient's digits, then the quotient's digits times the rest of the modulus.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn reduce<const N: usize>(m: &Modulus<N>, work: &mut Work, out: &mut [Lanes; N]) {
    let Work { t, scratch, quotient, .. } = work;
    let low = m.low();
    match N {
        20 => return reduce20(part(t, 0), low, m.factor, part_mut(out, 0)),
        30 => {
            let high = m.digits[20..].first_chunk().expect("thirty digits");
            twenty_rows(part_mut(t, 0), quotient, low, m.factor);
            add_product10(part(quotient, 0), high, part_mut(t, 20));
            add_product10(part(quotient, 10), high, part_mut(t, 30));
            ten_rows(part_mut(t, 20), quotient, low, m.factor);
            add_product10(part(quotient, 0), high, part_mut(t, 40));
        }
        _ => {
            for at in (0..N).step_by(20) {
                twenty_rows(part_mut(t, at), quotient, low, m.factor);
                for (block, digits) in m.rest.iter().enumerate() {
                    add_product20(quotient, digits, part_mut(t, at + 20 + 20 * block), &mut scratch.u);
                }
            }
        }
    }
    debug_assert!(bounds::holds(&t[N..2 * N], bounds::reduction(N)), "a column that may overflow");
    let mut handed = zero();
    for (out, column) in out.iter_mut().zip(&t[N..]) {
        let column = add(column.load(), handed);
        out.store(digit(column));
        handed = carry(column);
    }
}
