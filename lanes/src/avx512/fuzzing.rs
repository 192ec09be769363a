//! What the fuzzer runs: kernels against arithmetic by hand, one digit after the other. Only the feature `fuzzing` has this file.

use super::{
    Cpu,
    modulus::{Modulus, Number, multiply, square},
    vector::{DIGIT, LANES, Lanes, RADIX},
    wipe::zeroed,
    work::Work,
};

/// Runs the kernels of one length on operands made of the bytes. Panics if a result is wrong.
pub(crate) fn kernels(cpu: Cpu, bytes: &[u8]) {
    let Some((length, bytes)) = bytes.split_first() else { return };
    match length % 5 {
        0 => kernels_of::<20>(cpu, bytes),
        1 => kernels_of::<30>(cpu, bytes),
        2 => kernels_of::<40>(cpu, bytes),
        3 => kernels_of::<60>(cpu, bytes),
        _ => kernels_of::<80>(cpu, bytes),
    }
}

fn kernels_of<const N: usize>(_cpu: Cpu, bytes: &[u8]) {
    let mut digits = repeat(bytes);
    let bits = N / 10 * 512;
    let mut m: [u64; N] = std::array::from_fn(|_| digits());
    shorten(&mut m, bits);
    m[0] |= 1;
    m[bits / RADIX as usize] |= 1 << (bits % RADIX as usize - 1);
    let (a, b) = (number::<N>(&mut digits), number::<N>(&mut digits));
    let mut work = zeroed::<Work>();
    // SAFETY: `Cpu` says that the features are present.
    unsafe {
        square(&a, &mut work);
        (0..LANES).for_each(|lane| assert_product(&work, &lane_of(&a, lane), &lane_of(&a, lane), lane));
        multiply(&a, &b, &mut work);
        (0..LANES).for_each(|lane| assert_product(&work, &lane_of(&a, lane), &lane_of(&b, lane), lane));
    }
    // Operands below 2^bits are below 2m.
    let [a, b] = [a, b].map(|number| shortened(number, bits));
    let (mut squared, mut multiplied) = (a, a);
    // SAFETY: as above.
    let modulus = unsafe {
        let modulus = Modulus::new(&m, bits, &mut work);
        modulus.square(&mut squared, &mut work);
        modulus.multiply(&mut multiplied, &b, &mut work);
        modulus
    };
    for lane in 0..LANES {
        let (a, b) = (lane_of(&a, lane), lane_of(&b, lane));
        assert_eq!(lane_of(&squared, lane), reduced(&modulus, by_hand(&a, &a)), "square of {N} digits");
        assert_eq!(lane_of(&multiplied, lane), reduced(&modulus, by_hand(&a, &b)), "product of {N} digits");
    }
}

/// Digits out of bytes that are repeated for ever.
fn repeat(bytes: &[u8]) -> impl FnMut() -> u64 {
    let mut bytes = bytes.iter().copied().chain([0; 8]).collect::<Vec<u8>>().into_iter().cycle();
    move || (0..8).fold(0, |digit, _| digit << 8 | u64::from(bytes.next().unwrap_or(0))) & DIGIT
}

fn number<const N: usize>(digits: &mut impl FnMut() -> u64) -> Number<N> {
    std::array::from_fn(|_| Lanes(std::array::from_fn(|_| digits())))
}

/// Clears what is above `bits`.
fn shorten<const N: usize>(number: &mut [u64; N], bits: usize) {
    number[bits / RADIX as usize] &= (1 << (bits % RADIX as usize)) - 1;
    number[bits / RADIX as usize + 1..].fill(0);
}

fn shortened<const N: usize>(number: Number<N>, bits: usize) -> Number<N> {
    let mut lanes: [[u64; N]; LANES] = std::array::from_fn(|lane| lane_of(&number, lane));
    lanes.iter_mut().for_each(|number| shorten(number, bits));
    std::array::from_fn(|i| Lanes(std::array::from_fn(|lane| lanes[lane][i])))
}

fn lane_of<const N: usize>(number: &Number<N>, lane: usize) -> [u64; N] {
    number.map(|digit| digit.0[lane])
}

/// The digits of a product.
fn by_hand(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut product = vec![0; a.len() + b.len()];
    for (i, a) in a.iter().enumerate() {
        add_multiple(&mut product[i..], *a, b);
    }
    product
}

/// to += factor·number
fn add_multiple(to: &mut [u64], factor: u64, number: &[u64]) {
    let mut carry = 0;
    for (i, to) in to.iter_mut().enumerate() {
        let digit = number.get(i).copied().unwrap_or(0);
        let sum = u128::from(*to) + u128::from(factor) * u128::from(digit) + carry;
        *to = sum as u64 & DIGIT;
        carry = sum >> RADIX;
    }
}

/// Montgomery's reduction of a product.
fn reduced<const N: usize>(modulus: &Modulus<N>, mut product: Vec<u64>) -> [u64; N] {
    for i in 0..N {
        let quotient = product[i].wrapping_mul(modulus.factor) & DIGIT;
        add_multiple(&mut product[i..], quotient, &modulus.digits);
    }
    std::array::from_fn(|i| product[N + i])
}

/// A lane's columns are those of a product, when what is above 52 bits is carried.
fn assert_product<const N: usize>(work: &Work, a: &[u64; N], b: &[u64; N], lane: usize) {
    let mut handed = 0;
    let carried = work.t[..2 * N].iter().map(|column| {
        let column = column.0[lane].cast_signed() + handed;
        handed = column >> RADIX;
        column.cast_unsigned() & DIGIT
    });
    assert_eq!(carried.collect::<Vec<u64>>(), by_hand(a, b), "{N} digits");
    assert_eq!(handed, 0, "{N} digits");
}
