//! How large columns get: a column must stay below 2^63, because it is a signed 64-bit number.
//!
//! One `vpmadd52` adds less than w = 2^52. Columns may become larger than that or negative in between; additions modulo 2^64 do no
//! harm, so only what a column is at the end counts. Let `e` be the position of a column in a half of a product.
//!
//! # Products
//! - Ten by ten digits: column `c` of the low half has c + 1 low and c high halves, below (2e + 1)·w. The high half mirrors it:
//!   (19 - 2e)·w. A square has the same columns.
//! - Twenty by Karatsuba: the middle is z0h + s_l - z0l - z2l, and z2l + s_h + carries - z0h - z2h. All terms are positive, so the
//!   absolute value is at most that of the positive or of the negative terms: 20 or 38 times w, and 22 or 38 times w, because the
//!   two carries add at most 2·w. Therefore **38·w**; the carries' product adds 1 to one column.
//! - Thirty: the columns in the middle of `combine` have positive terms of at most 41·w and negative ones of 40·w: **41·w**.
//! - Forty: z0h + u_l - z0l - z2l has four terms of at most 38·w, with any sign: 152·w. Carries add 2·w: **154·w**.
//! - Sixty and eighty: a pair of blocks adds three terms of at most 38·w and carries, 116·w. Two pairs meet in a column of sixty
//!   digits, three in a column of eighty, with a block's product of 38·w: **270·w** and **386·w**.
//!
//! # Reductions
//! Twenty rows add 40·w to a column: a high and a low half for each row. A product of twenty quotient digits and a block of the
//! modulus adds 38·w in each half. What is handed on is below 2^11.
//! - Twenty: 38 + 40 = **78·w**.
//! - Thirty: 41, twenty rows with 40, ten rows with 20, and at most two halves of products of ten digits, which are 20·w
//!   together: **121·w**.
//! - Forty: 154, 40 for its rows, and 2·38 for two products: **270·w**.
//! - Sixty: 270, and 38 + 76 + 78 for the three steps: **462·w**.
//! - Eighty: 386, and 38 + 76 + 76 + 78 + 40 at most for the four steps and the rows of its own: **694·w**.
//!
//! # No final subtraction
//! A modulus m has 16 bits fewer than R or less: R/m > 16. For a, b < 3m the reduction of a·b is (a·b + q·m)/R with q < R, below
//! m·(9·m/R + 1) < 2m. Results go in again as they are, and so does the sum of one with 2m.

/// The unit of the bounds.
const W: u64 = 1 << 52;

/// What the columns of a product of `n` digits stay below, in absolute value.
pub(super) const fn product(n: usize) -> u64 {
    match n {
        20 => 38 * W + 2,
        30 => 41 * W + 2,
        40 => 154 * W + 4,
        60 => 270 * W + 8,
        _ => 386 * W + 8,
    }
}

/// What the columns of a reduction by a modulus of `n` digits stay below.
pub(super) const fn reduction(n: usize) -> u64 {
    let rows_and_products = match n {
        20 => 78,
        30 => 121,
        40 => 270,
        60 => 462,
        _ => 694,
    };
    rows_and_products * W + (1 << 12)
}

// The rows add 2^52 - 1 to a column before they hand it on.
const _: () = assert!(reduction(80) + W < 1 << 62 && reduction(40) < 1 << 61);

/// Whether all columns are below a bound, in absolute value. Debug builds look after every product and reduction.
pub(super) fn holds(columns: &[super::vector::Lanes], bound: u64) -> bool {
    columns.iter().flat_map(|column| column.0).all(|column| column.cast_signed().unsigned_abs() < bound)
}
