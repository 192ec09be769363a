//! The bounds of columns: computed from the formulas, and reached within a factor of two.

use super::{
    numbers::{digits, number},
    random::{Random, count},
};
use crate::engine::{
    bounds,
    modulus::{Number, multiply, square},
    tests::kernels::supported,
    vector::{DIGIT, LANES, RADIX},
    wipe::zeroed,
    work::Work,
};

/// From what to what a column goes, in units of 2^52.
#[derive(Clone, Copy, Default)]
struct Interval {
    least: i64,
    greatest: i64,
}

impl Interval {
    fn add(&mut self, other: Self) {
        self.least += other.least;
        self.greatest += other.greatest;
    }

    fn subtract(&mut self, other: Self) {
        self.least -= other.greatest;
        self.greatest -= other.least;
    }
}

/// `count` halves of products.
fn halves(count: i64) -> Interval {
    Interval { least: 0, greatest: count }
}

fn add_all(to: &mut [Interval], from: &[Interval]) {
    to.iter_mut().zip(from).for_each(|(to, from)| to.add(*from));
}

/// The columns of a product of ten digits.
fn by_hand() -> Vec<Interval> {
    (0..20_i64)
        .map(|c| {
            halves(
                (0..10).map(|i| i64::from(c - i < 10 && c >= i) + i64::from(c - 1 - i < 10 && c > i)).sum(),
            )
        })
        .collect()
}

/// The columns of a product by Karatsuba's method over all pairs of blocks.
fn by_pairs(blocks: usize, inner: &[Interval]) -> Vec<Interval> {
    let mut columns: Vec<Interval> = (0..blocks).flat_map(|_| inner).copied().collect();
    let half = inner.len() / 2;
    for (i, j) in (0..blocks).flat_map(|i| (i + 1..blocks).map(move |j| (i, j))) {
        for (k, own) in inner.iter().enumerate() {
            let column = &mut columns[half * (i + j) + k];
            column.add(*own);
            column.subtract(*own);
            column.subtract(*own);
            // The digits of the two sums, each if the other one carried.
            column.add(halves(if k < half { 0 } else { 2 }));
        }
    }
    columns
}

/// Adds some rows of a reduction.
fn add_rows(columns: &mut [Interval], rows: usize) {
    for row in 0..rows {
        columns[row + 1..row + 20].iter_mut().for_each(|column| column.add(halves(2)));
        columns[row + 20].add(halves(1));
    }
}

fn largest(columns: &[Interval]) -> u64 {
    columns.iter().map(|column| column.greatest.max(-column.least) as u64).max().unwrap_or(0) << RADIX
}

#[test]
fn the_bounds_are_those_of_the_formulas() {
    let ten = by_hand();
    let twenty = by_pairs(2, &ten);
    for (n, mut columns) in [
        (20, twenty.clone()),
        (30, by_pairs(3, &ten)),
        (40, by_pairs(2, &twenty)),
        (60, by_pairs(3, &twenty)),
        (80, by_pairs(4, &twenty)),
    ] {
        assert_eq!(largest(&columns), bounds::product(n), "product of {n} digits");
        for at in (0..n - n % 20).step_by(20) {
            add_rows(&mut columns[at..], 20);
            for block in (at + 20..at + n - 19).step_by(20) {
                add_all(&mut columns[block..], &twenty);
            }
        }
        if n == 30 {
            add_all(&mut columns[20..], &ten);
            add_all(&mut columns[30..], &ten);
            add_rows(&mut columns[20..], 10);
            add_all(&mut columns[40..], &ten);
        }
        assert_eq!(largest(&columns[n..]), bounds::reduction(n), "reduction of {n} digits");
        // The columns that a row hands on are no larger.
        assert!(largest(&columns) <= bounds::reduction(n), "reduction of {n} digits");
    }
}

/// Another operand near this one: a digit, or every digit of a block, is changed.
fn near<const N: usize>(digits: &[u64; N], random: &mut Random) -> [u64; N] {
    // The square of this digit has two halves just below 2^52.
    const HEAVY: u64 = DIGIT + 2 - (1 << 26);
    let at = random.below(N);
    let new = match random.below(8) {
        0 => DIGIT,
        1 => 0,
        2 => HEAVY,
        3 => DIGIT + 1 - HEAVY,
        4 => DIGIT - digits[at],
        5 => random.bits() & DIGIT,
        6 => DIGIT - (random.bits() >> 34),
        _ => random.bits() >> 34,
    };
    let block = if random.below(3) == 0 { 1 } else { 10 };
    let mut changed = *digits;
    changed[at / block * block..][..block].fill(new);
    changed
}

/// Searches for operands that make a large column: the best of eight neighbours is the next one. Returns the largest column.
fn climb<const N: usize>(is_square: bool, steps: usize, random: &mut Random) -> u64 {
    let mut work = zeroed::<Work>();
    let (mut best, mut operands) = (0, (digits::<N>(random), digits::<N>(random)));
    for _ in 0..steps {
        let neighbours: [_; LANES] =
            std::array::from_fn(|_| (near(&operands.0, random), near(&operands.1, random)));
        let a: Number<N> = number(|lane| neighbours[lane].0);
        let b: Number<N> = number(|lane| neighbours[lane].1);
        // SAFETY: the test begins with `supported`.
        unsafe { if is_square { square(&a, &mut work) } else { multiply(&a, &b, &mut work) } };
        for (lane, neighbour) in neighbours.into_iter().enumerate() {
            let columns = work.t[..2 * N].iter().map(|column| column.0[lane].cast_signed().unsigned_abs());
            let reached = columns.max().unwrap_or(0);
            if reached >= best {
                (best, operands) = (reached, neighbour);
            }
        }
    }
    best
}

fn assert_reached<const N: usize>(steps: usize, random: &mut Random) {
    for is_square in [true, false] {
        // Some searches end on a hill that is too low.
        let reached = (0..20)
            .map(|_| climb::<N>(is_square, steps, random))
            .find(|best| *best >= bounds::product(N) / 2);
        assert!(reached.is_some(), "{N} digits, is square: {is_square}");
    }
}

#[test]
fn operands_reach_the_bounds_within_a_factor_of_two() {
    supported();
    let mut random = Random::new();
    let steps = count("TEST_STEPS", 3000);
    assert_reached::<20>(steps, &mut random);
    assert_reached::<30>(steps, &mut random);
    assert_reached::<40>(steps, &mut random);
    assert_reached::<60>(steps, &mut random);
    assert_reached::<80>(steps, &mut random);
}
