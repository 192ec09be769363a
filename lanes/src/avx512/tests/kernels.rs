//! Products, squares, look-ups and reductions of every length.

use num_bigint_dig::{BigInt, BigUint};

use super::{
    numbers::{digits, number, split, unsigned, value},
    random::{Random, count},
};
use crate::engine::{
    Cpu,
    modulus::{Modulus, Number, multiply, multiply_shared, square},
    scan::{ENTRIES, Part, look_up, wanted},
    thirty::square30_scan,
    twenty::square20_scan,
    vector::{DIGIT, LANES, Lanes, RADIX},
    wipe::zeroed,
    work::{Work, part, part_mut},
};

/// Runs what needs the processor's features.
pub(super) fn supported() {
    assert!(Cpu::detect().is_some(), "these tests need a processor with AVX-512 IFMA");
}

/// The columns of every lane have the product's value.
fn assert_columns<const N: usize>(work: &Work, name: &str, expected: impl Fn(usize) -> BigUint) {
    for lane in 0..LANES {
        let expected = BigInt::from(expected(lane));
        assert!(value(&work.t[..2 * N], lane) == expected, "{name} of {N} digits, lane {lane}");
    }
}

/// Returns how many results were compared.
fn products<const N: usize>(random: &mut Random, work: &mut Work) -> usize {
    let (a, b): ([[u64; N]; LANES], [[u64; N]; LANES]) =
        (std::array::from_fn(|_| digits(random)), std::array::from_fn(|_| digits(random)));
    let (va, vb) = (number(|lane| a[lane]), number(|lane| b[lane]));
    let (na, nb) = (a.map(|a| unsigned(&a)), b.map(|b| unsigned(&b)));
    // SAFETY: the tests begin with `supported`.
    unsafe { square(&va, work) };
    assert_columns::<N>(work, "square", |lane| &na[lane] * &na[lane]);
    // SAFETY: as above.
    unsafe { multiply(&va, &vb, work) };
    assert_columns::<N>(work, "product", |lane| &na[lane] * &nb[lane]);
    // SAFETY: as above.
    unsafe { multiply_shared(&va, &b[0], work) };
    assert_columns::<N>(work, "shared product", |lane| &na[lane] * &nb[0]);
    3 * LANES
}

#[test]
fn products_and_squares_have_the_value_that_a_library_of_big_numbers_computes() {
    supported();
    let mut random = Random::new();
    let mut work = zeroed::<Work>();
    let wanted = count("TEST_RESULTS", 20_000);
    let mut compared = 0;
    while compared < wanted {
        compared += products::<20>(&mut random, &mut work);
        compared += products::<30>(&mut random, &mut work);
        compared += products::<40>(&mut random, &mut work);
        compared += products::<60>(&mut random, &mut work);
        compared += products::<80>(&mut random, &mut work);
    }
}

/// A modulus with its highest bit where those of keys have it, of a random or of an extreme kind.
fn modulus<const N: usize>(random: &mut Random) -> (Modulus<N>, BigUint, usize) {
    let bits = N / 10 * 512;
    let top = bits % RADIX as usize;
    let mut m = digits::<N>(random);
    if random.below(8) == 0 {
        m = [0; N];
    }
    m[bits / RADIX as usize] &= (1 << top) - 1;
    m[bits / RADIX as usize] |= 1 << (top - 1);
    m[bits / RADIX as usize + 1..].fill(0);
    m[0] |= 1;
    // SAFETY: the tests begin with `supported`.
    let modulus = unsafe { Modulus::new(&m, bits, &mut zeroed()) };
    (modulus, unsigned(&m), bits)
}

/// Operands below 2m, of which the first are at the edges.
fn operands<const N: usize>(m: &BigUint, random: &mut Random) -> [[u64; N]; LANES] {
    let (one, twice) = (BigUint::from(1_u8), m << 1);
    let edges = [BigUint::default(), one.clone(), m - &one, m.clone(), m + &one, &twice - &one];
    std::array::from_fn(|_| {
        let edge = edges.get(random.below(2 * edges.len())).cloned();
        split(&edge.unwrap_or_else(|| unsigned(&digits::<N>(random)) % &twice))
    })
}

/// Returns how many results were compared.
fn reductions<const N: usize>(random: &mut Random, work: &mut Work) -> usize {
    let (modulus, m, _) = modulus::<N>(random);
    let r = BigUint::from(1_u8) << (RADIX as usize * N);
    let twice = &m << 1;
    for (power, exponent) in [(&modulus.one, 1_u8), (&modulus.r2, 2), (&modulus.r3, 3)] {
        let power = unsigned(power);
        assert!(
            power < twice && power % &m == r.modpow(&BigUint::from(exponent), &m),
            "R^{exponent}, {N} digits"
        );
    }
    let (a, b) = (operands::<N>(&m, random), operands::<N>(&m, random));
    let (mut squared, vb) = (number(|lane| a[lane]), number(|lane| b[lane]));
    let (mut product, mut left) = (squared, squared);
    let mut reached = squared;
    // SAFETY: the tests begin with `supported`.
    let below = unsafe {
        modulus.square(&mut squared, work);
        modulus.multiply(&mut product, &vb, work);
        modulus.leave(&mut left, work);
        modulus.subtract_if_reached(&mut reached);
        crate::engine::vector::nonzero(modulus.is_above(&vb))
    };
    let result = |number: &Number<N>, lane: usize| {
        assert!(number.iter().all(|digit| digit.0[lane] <= DIGIT), "{N} digits, lane {lane}");
        unsigned(&number.map(|digit| digit.0[lane]))
    };
    for lane in 0..LANES {
        let (a, b) = (unsigned(&a[lane]), unsigned(&b[lane]));
        let (squared, product) = (result(&squared, lane), result(&product, lane));
        assert!(squared < twice && product < twice, "{N} digits, lane {lane}");
        assert!(squared * &r % &m == &a * &a % &m, "reduced square of {N} digits, lane {lane}");
        assert!(product * &r % &m == &a * &b % &m, "reduced product of {N} digits, lane {lane}");
        let left = result(&left, lane);
        assert!(left < m && left * &r % &m == &a % &m, "out of Montgomery form, {N} digits, lane {lane}");
        assert!(result(&reached, lane) == &a % &m, "canonical, {N} digits, lane {lane}");
        assert!((below >> lane & 1 == 1) == (b < m), "comparison, {N} digits, lane {lane}");
    }
    6 * LANES
}

#[test]
fn reductions_are_right_for_every_operand_below_twice_the_modulus() {
    supported();
    let mut random = Random::new();
    let mut work = zeroed::<Work>();
    let wanted = count("TEST_RESULTS", 20_000);
    let mut compared = 0;
    while compared < wanted {
        compared += reductions::<20>(&mut random, &mut work);
        compared += reductions::<30>(&mut random, &mut work);
        compared += reductions::<40>(&mut random, &mut work);
        compared += reductions::<60>(&mut random, &mut work);
        compared += reductions::<80>(&mut random, &mut work);
    }
}

fn table<const D: usize>(random: &mut Random) -> Part<D> {
    std::array::from_fn(|_| std::array::from_fn(|_| Lanes(std::array::from_fn(|_| random.bits()))))
}

fn same<const D: usize>(a: &[Lanes; D], b: &[Lanes; D]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.0 == b.0)
}

#[test]
fn a_look_up_beside_a_square_finds_every_entry_and_changes_no_square() {
    supported();
    let mut random = Random::new();
    let mut work = zeroed::<Work>();
    for entry in 0..ENTRIES {
        let masks = wanted(entry as u64);
        let (four, six) = (table::<4>(&mut random), table::<6>(&mut random));
        let mut found = ([Lanes(random_lanes(&mut random)); 4], [Lanes(random_lanes(&mut random)); 6]);
        let (a, b) = (number(|_| digits::<20>(&mut random)), number(|_| digits::<30>(&mut random)));
        let squares = |work: &Work, of: &[Lanes]| {
            (0..LANES).all(|lane| value(&work.t[..2 * of.len()], lane) == value(of, lane) * value(of, lane))
        };
        // SAFETY: the test begins with `supported`.
        unsafe { square20_scan(&a, part_mut(&mut work.t, 0), &four, &masks, &mut found.0) };
        assert!(same(&found.0, &four[entry]) && squares(&work, &a), "entry {entry} beside twenty digits");
        let Work { t, u, .. } = &mut *work;
        // SAFETY: as above.
        unsafe { square30_scan(&b, part_mut(t, 0), u, &six, &masks, &mut found.1) };
        assert!(same(&found.1, &six[entry]) && squares(&work, &b), "entry {entry} beside thirty digits");
        found.0 = [Lanes::ZERO; 4];
        // SAFETY: as above.
        unsafe { look_up(&four, &masks, &mut found.0) };
        assert!(same(&found.0, part(&four[entry], 0)), "entry {entry} alone");
    }
}

fn random_lanes(random: &mut Random) -> [u64; LANES] {
    std::array::from_fn(|_| random.bits())
}
