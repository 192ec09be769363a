//! Keys that are written well and whose numbers are bad.

use std::iter;

use num_bigint_dig::{BigUint, prime::probably_prime};
use signwave::signer::KeyFlaw;
use support::numbers::{Numbers, e, inverse, lcm};

use super::{
    Case,
    generated::{Primes, next_prime},
};

fn case(name: impl Into<String>, numbers: &Numbers, flaw: KeyFlaw) -> Case {
    Case::new(name, numbers.encode(), flaw)
}

fn number(number: u64) -> BigUint {
    BigUint::from(number)
}

fn power_of_two(exponent: usize) -> BigUint {
    number(1) << exponent
}

/// The good key with something changed.
fn changed(change: impl FnOnce(&mut Numbers)) -> Numbers {
    let mut numbers = Numbers::good();
    change(&mut numbers);
    numbers
}

/// Too short and too long; the short ones are sound otherwise.
pub fn sizes(primes: &mut Primes) -> Vec<Case> {
    let mut cases: Vec<_> = [512, 768, 1024, 1536, 1984, 2040, 2046]
        .map(|bits: u32| {
            let [p, q] = [0; 2].map(|_| primes.prime(bits as usize / 2));
            case(format!("{bits} bits"), &Numbers::of(p, q, e()), KeyFlaw::Size { bits })
        })
        .into();
    for n in [0, 1, 15, 65537] {
        let bits = number(n).bits() as u32;
        cases.push(case(format!("modulus {n}"), &changed(|key| key.n = number(n)), KeyFlaw::Size { bits }));
    }
    for bits in [8193, 8200, 16384] {
        let n = power_of_two(bits - 1) + 1_u8;
        let flaw = KeyFlaw::Size { bits: bits as u32 };
        cases.push(case(format!("{bits} bits"), &changed(|key| key.n = n), flaw));
    }
    let p = changed(|key| (key.n, key.q) = (key.p.clone(), number(1)));
    cases.push(case("a prime as its modulus", &p, KeyFlaw::Size { bits: 1024 }));
    cases
}

/// Even, tiny and huge public exponents. The tiny ones have the private exponent that belongs to them.
pub fn exponents(primes: &mut Primes) -> Vec<Case> {
    let mut cases = Vec::new();
    for exponent in [3, 5, 17, 257] {
        let [p, q] = [0; 2].map(|_| primes.prime_for(1024, exponent));
        let key = Numbers::of(p, q, number(exponent));
        cases.push(case(format!("exponent {exponent}"), &key, KeyFlaw::SmallExponent { exponent }));
    }
    for exponent in [1, 65533, 65535] {
        let key = changed(|key| key.e = number(exponent));
        cases.push(case(format!("exponent {exponent}"), &key, KeyFlaw::SmallExponent { exponent }));
    }
    // A key of which everybody knows the private half: it signs by doing nothing.
    let key = changed(|key| {
        (key.e, key.d, key.dp, key.dq) = (number(1), number(1), number(1), number(1));
    });
    cases.push(case("exponent 1, also the private one", &key, KeyFlaw::SmallExponent { exponent: 1 }));
    for exponent in [0, 2, 4, 65536, 65538] {
        let key = changed(|key| key.e = number(exponent));
        cases.push(case(format!("exponent {exponent}"), &key, KeyFlaw::EvenExponent));
    }
    for (name, exponent) in [
        ("exponent of 34 bits", power_of_two(33) + 1_u8),
        ("exponent of 65 bits", power_of_two(64) + 1_u8),
        ("exponent of 257 bits", power_of_two(256) + 1_u8),
        ("exponent as long as the modulus", Numbers::good().n - 2_u8),
    ] {
        let bits = exponent.bits() as u32;
        cases.push(case(name, &changed(|key| key.e = exponent), KeyFlaw::LargeExponent { bits }));
    }
    let swapped = changed(|key| std::mem::swap(&mut key.e, &mut key.d));
    let bits = swapped.e.bits() as u32;
    cases.push(case("public and private exponent swapped", &swapped, KeyFlaw::LargeExponent { bits }));
    cases
}

/// Moduli that are not the product of two good primes far from each other.
pub fn moduli(primes: &mut Primes) -> Vec<Case> {
    let good = Numbers::good();
    let twin = good.p.clone();
    let mut cases = vec![
        case("even modulus", &changed(|key| key.n += 1_u8), KeyFlaw::EvenModulus),
        case(
            "2 as a factor",
            &changed(|key| (key.n, key.q) = (&key.n * 2_u8, &key.q * 2_u8)),
            KeyFlaw::EvenModulus,
        ),
        case("modulus + 2", &changed(|key| key.n += 2_u8), KeyFlaw::Modulus),
        case("modulus of another key", &changed(|key| key.n = &key.p * primes.prime(1024)), KeyFlaw::Modulus),
        case("first prime + 2", &changed(|key| key.p += 2_u8), KeyFlaw::Modulus),
        case("second prime of another key", &changed(|key| key.q = primes.prime(1024)), KeyFlaw::Modulus),
        case("primes 0", &changed(|key| (key.p, key.q) = (number(0), number(0))), KeyFlaw::Modulus),
        case("p = q", &Numbers::of(twin.clone(), twin, e()), KeyFlaw::EqualPrimes),
        case("p = 1", &changed(|key| (key.p, key.q) = (number(1), key.n.clone())), KeyFlaw::UnbalancedPrimes),
        case("q = 1", &changed(|key| (key.p, key.q) = (key.n.clone(), number(1))), KeyFlaw::UnbalancedPrimes),
    ];
    for (short, long) in [(512, 1537), (1000, 1048), (1020, 1029)] {
        let key = Numbers::of(primes.prime(short), primes.prime(long), e());
        let name = format!("primes of {short} and {long} bits");
        cases.push(case(name, &key, KeyFlaw::UnbalancedPrimes));
    }
    // Sound otherwise: the next prime after p, or after p and some.
    for distance in [0, 10, 100, 500, 900, 923] {
        let q = next_prime(&good.p + power_of_two(distance) + 1_u8);
        let name = format!("primes 2^{distance} apart");
        cases.push(case(&*name, &Numbers::of(good.p.clone(), q.clone(), e()), KeyFlaw::ClosePrimes));
        cases.push(case(name + ", swapped", &Numbers::of(q, good.p.clone(), e()), KeyFlaw::ClosePrimes));
    }
    cases
}

/// A Carmichael number, (6k + 1)(12k + 1)(18k + 1), which passes Fermat's test to every base.
const CARMICHAEL: &str =
    "39c3fbc37e94ef3d1334a0aa6d6d2cc4a46dbf72d77ac4a0bd3faf14a02300b6cdf7607b127ba708997e3";
/// The k of that form with 2k + 1: (2k + 1)(4k + 1), on which a quarter of all bases fail in Miller and
/// Rabin's test.
const PSEUDOPRIME: &str = "5910a5cb13f787b9be2313eec142cb6a1ffd980e827a636b50a98e7e20efefc409e6d1bd1f10a95bd50a0960e167e509521be27775b0352d2341042c3e8e165c";

/// Factors that are not prime. Everything else fits them.
pub fn primes(primes: &mut Primes) -> Vec<Case> {
    let good = Numbers::good();
    // As long as the prime that it stands for, and with an inverse of e.
    let fits =
        |product: &BigUint| *product >= number(3) << 1022_usize && inverse(&e(), &(product - 1_u8)).is_some();
    let mut of = |bits: [usize; 2]| {
        let product = || bits.map(|bits| primes.prime(bits)).into_iter().product();
        iter::repeat_with(product).find(fits).unwrap()
    };
    let (first, second) = (of([512, 512]), of([512, 512]));
    let (lopsided, small) = (of([300, 724]), of([16, 1008]));
    let square = iter::repeat_with(|| primes.prime(512)).map(|prime| &prime * &prime).find(fits).unwrap();
    let hex = |text: &str| BigUint::parse_bytes(text.as_bytes(), 16).unwrap();
    let k = hex(CARMICHAEL);
    let carmichael = [6_u8, 12, 18].map(|factor| &k * factor + 1_u8).into_iter().product();
    let k = hex(PSEUDOPRIME);
    let pseudoprime = [2_u8, 4].map(|factor| &k * factor + 1_u8).into_iter().product();
    let mut cases = Vec::new();
    for (name, factor) in [
        ("a product of two primes", first.clone()),
        ("a product of a short and a long prime", lopsided),
        ("divisible by a prime of 16 bits", small),
        ("a square", square),
        ("a Carmichael number", carmichael),
        ("a strong pseudoprime to many bases", pseudoprime),
    ] {
        assert_eq!(factor.bits(), 1024, "{name}");
        cases.push(case(
            format!("p {name}"),
            &Numbers::of(factor.clone(), good.q.clone(), e()),
            KeyFlaw::NotPrime,
        ));
        cases.push(case(format!("q {name}"), &Numbers::of(good.p.clone(), factor, e()), KeyFlaw::NotPrime));
    }
    cases.push(case("both factors products", &Numbers::of(first, second, e()), KeyFlaw::NotPrime));
    cases
}

/// A private exponent or CRT parameters of something else.
pub fn private_parts() -> Vec<Case> {
    let good = Numbers::good();
    let (p_minus_1, q_minus_1) = (&good.p - 1_u8, &good.q - 1_u8);
    let period = lcm(&p_minus_1, &q_minus_1);
    let other = Numbers::of(good.p.clone(), good.q.clone(), number(65539));
    let of = |name: &str, flaw, change: &dyn Fn(&mut Numbers)| case(name, &changed(change), flaw);
    let exponent = |name, change: &dyn Fn(&mut Numbers)| of(name, KeyFlaw::PrivateExponent, change);
    let crt = |name, change: &dyn Fn(&mut Numbers)| of(name, KeyFlaw::CrtParameters, change);
    vec![
        exponent("private exponent 0", &|key| key.d = number(0)),
        exponent("private exponent 1", &|key| key.d = number(1)),
        exponent("private exponent + 2", &|key| key.d += 2_u8),
        exponent("private exponent right modulo p - 1 only", &|key| key.d += &p_minus_1),
        exponent("private exponent right modulo q - 1 only", &|key| key.d += &q_minus_1),
        exponent("private exponent longer than the modulus", &|key| key.d += &period * &key.n),
        exponent("private exponent of another public one", &|key| key.d = other.d.clone()),
        exponent("public exponent of another private one", &|key| key.e = other.e.clone()),
        exponent("private exponent is the public one", &|key| key.d = key.e.clone()),
        crt("dP 0", &|key| key.dp = number(0)),
        crt("dQ 0", &|key| key.dq = number(0)),
        crt("qInv 0", &|key| key.qinv = number(0)),
        crt("dP + 1", &|key| key.dp += 1_u8),
        crt("dQ + 1", &|key| key.dq += 1_u8),
        crt("qInv + 1", &|key| key.qinv += 1_u8),
        crt("dP not reduced", &|key| key.dp += &p_minus_1),
        crt("dQ not reduced", &|key| key.dq += &q_minus_1),
        crt("qInv not reduced", &|key| key.qinv += &key.p),
        crt("dP and dQ swapped", &|key| std::mem::swap(&mut key.dp, &mut key.dq)),
        crt("only the primes swapped", &|key| std::mem::swap(&mut key.p, &mut key.q)),
        crt("pInv for qInv", &|key| key.qinv = inverse(&key.p, &key.q).unwrap()),
        crt("dP of another exponent", &|key| key.dp = other.dp.clone()),
        crt("the whole private exponent as dP and dQ", &|key| {
            (key.dp, key.dq) = (key.d.clone(), key.d.clone());
        }),
    ]
}

/// A private exponent that the public key gives away. With a public one of at most 33 bits that needs p - 1 and q - 1
/// to share a huge factor.
pub fn small_private_exponent(primes: &mut Primes) -> Vec<Case> {
    let shared = primes.prime(1010);
    let mut of_shared = (1_u32 << 12..1 << 14)
        .map(|factor| &shared * 2_u8 * factor + 1_u8)
        .filter(|candidate| candidate.bits() == 1024 && probably_prime(candidate, 4));
    let (p, q) = (of_shared.next_back().unwrap(), of_shared.next_back().unwrap());
    let period = lcm(&(&p - 1_u8), &(&q - 1_u8));
    let bound = power_of_two(1024);
    let gives_away = |e: &BigUint| inverse(e, &period).is_some_and(|d| d <= bound);
    let exponent = (65537..).step_by(2).map(number).find(gives_away).unwrap();
    vec![case("a small private exponent", &Numbers::of(p, q, exponent), KeyFlaw::SmallPrivateExponent)]
}

/// Keys of the generator of CVE-2017-15361, sound otherwise.
pub fn roca(primes: &mut Primes) -> Vec<Case> {
    let mut cases = Vec::new();
    for (bits, count) in [(1024, 126), (1536, 126), (2048, 225)] {
        let [p, q] = [0; 2].map(|_| primes.roca(bits, count));
        cases.push(case(format!("ROCA of {} bits", 2 * bits), &Numbers::of(p, q, e()), KeyFlaw::Roca));
    }
    let (bad, good) = (primes.roca(1024, 126), primes.prime(1024));
    cases.push(case("p of ROCA", &Numbers::of(bad.clone(), good.clone(), e()), KeyFlaw::Roca));
    cases.push(case("q of ROCA", &Numbers::of(good, bad, e()), KeyFlaw::Roca));
    cases
}
