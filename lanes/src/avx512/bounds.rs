//! How large columns get: a column must stay below 2^63, because it is a signed 64-bit number.
//!
//! One `vpmadd52` adds a number from 0 to w = 2^52. Sums are computed modulo 2^64, so it does no harm if a column leaves the range
//! in between: only what is carried or stored at the end counts. A column is therefore bounded by an interval, to which each
//! term adds its least and its greatest value. Let `e` be the position of a column in a block's half of a product, 0 to 9.
//!
//! # Products
//! - Ten by ten digits: a column of the low half has e + 1 low and e high halves of products, 0 to (2e + 1)·w. The high half
//!   mirrors it: 0 to (19 - 2e)·w. A square has the same columns.
//! - Twenty digits by Karatsuba: the middle is z0h + s_l - z0l - z2l, from -2·(2e + 1)·w to 20·w, and z2l + s_h + carries - z0h - z2h,
//!   from -2·(19 - 2e)·w to 22·w, because the carries of two sums add 2·w at most. In all **38·w**.
//! - Thirty digits: the same with all pairs of three blocks, of which two meet in a column: **41·w**.
//! - Forty, sixty and eighty digits: the same with blocks of twenty, whose columns have the signs that are given above: **101·w**,
//!   **123·w** and **202·w**.
//!
//! # Reductions
//! A row adds the high and the low half of a product to each column, 0 to 2·w. What a column hands on is below 2^11. The products of
//! the quotient and the rest of the modulus are products as above. The columns that remain are below **61·w**, **100·w**, **163·w**,
//! **208·w** and **310·w**.
//!
//! A test computes these intervals from the same formulas, column by column, and another one searches for operands that
//! reach the bounds within a factor of two. Debug builds look after each product and reduction.
//!
//! # No final subtraction
//! A modulus m has at least 16 bits fewer than R, so R > 2^16·m. For a, b < 3m the reduction of a·b is (a·b + k·m)/R with k < R,
//! which is below m·(9·m/R + 1) < 2m. Results go in again as they are.

use super::vector::{Lanes, RADIX};

/// What the columns of a product of `n` digits stay below, in absolute value.
pub(super) const fn product(n: usize) -> u64 {
    in_units(match n {
        20 => 38,
        30 => 41,
        40 => 101,
        60 => 123,
        _ => 202,
    })
}

/// What the columns of a reduction by a modulus of `n` digits stay below, in absolute value.
pub(super) const fn reduction(n: usize) -> u64 {
    in_units(match n {
        20 => 61,
        30 => 100,
        40 => 163,
        60 => 208,
        _ => 310,
    })
}

/// One `vpmadd52` adds less than w, so there is room below the bound for what columns hand on, and for carries' products.
const fn in_units(count: u64) -> u64 {
    count << RADIX
}

// A row adds 2^52 - 1 to its column before it hands it on.
const _: () = assert!(reduction(80) + in_units(1) < 1 << 63);

/// Whether all columns are below a bound, in absolute value.
pub(super) fn holds(columns: &[Lanes], bound: u64) -> bool {
    columns.iter().flat_map(|column| column.0).all(|column| column.cast_signed().unsigned_abs() < bound)
}
