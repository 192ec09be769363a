//! Keys of every kind that the engine takes, made by aws-lc.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use num_bigint_dig::{BigUint, ModInverse};
use signwave_lanes::Components;

use super::random::Random;

/// The numbers of a key.
pub struct Numbers {
    pub n: BigUint,
    pub d: BigUint,
    pub p: BigUint,
    pub q: BigUint,
}

/// A key in both libraries' forms.
pub struct TestKey {
    pub pair: KeyPair,
    pub numbers: Numbers,
    /// n, e, p, q, dp, dq, qinv.
    bytes: [Vec<u8>; 7],
}

impl TestKey {
    /// A new key. Half of the keys have p < q, and half another exponent than 65537.
    pub fn generate(bits: usize, random: &mut Random) -> Self {
        let (p, q) = primes(bits);
        let (p, q) = if (p < q) == random.bits().is_multiple_of(2) { (p, q) } else { (q, p) };
        let usual = random.bits().is_multiple_of(2);
        loop {
            // Exponents of up to 33 bits, as the product takes them.
            let e = if usual { 65537 } else { 65537 + 2 * (random.bits() % ((1 << 32) - (1 << 15))) };
            if let Some(key) = Self::of(p.clone(), q.clone(), BigUint::from(e)) {
                return key;
            }
        }
    }

    /// `None` if the exponent has no inverse.
    pub fn of(p: BigUint, q: BigUint, e: BigUint) -> Option<Self> {
        let one = BigUint::from(1_u8);
        let (p1, q1) = (&p - &one, &q - &one);
        let inverse = |a: &BigUint, m: &BigUint| a.mod_inverse(m)?.to_biguint();
        let d = inverse(&e, &(&p1 * &q1))?;
        let n = &p * &q;
        let numbers =
            [&n, &e, &d, &p, &q, &(&d % &p1), &(&d % &q1), &inverse(&q, &p)?].map(BigUint::to_bytes_be);
        let pair = KeyPair::from_der(&pkcs1(&numbers)).unwrap();
        let [n_, e, _, p_, q_, dp, dq, qinv] = numbers;
        Some(Self { pair, numbers: Numbers { n, d, p, q }, bytes: [n_, e, p_, q_, dp, dq, qinv] })
    }

    pub fn components(&self) -> Components<'_> {
        let [n, e, p, q, dp, dq, qinv] = self.bytes.each_ref().map(|bytes| &bytes[..]);
        Components { n, e, p, q, dp, dq, qinv }
    }
}

/// The primes of a key that aws-lc generates.
fn primes(bits: usize) -> (BigUint, BigUint) {
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        _ => KeySize::Rsa4096,
    };
    let pair = KeyPair::generate(size).unwrap();
    let der = AsDer::<Pkcs8V1Der>::as_der(&pair).unwrap();
    // PrivateKeyInfo: version, algorithm, and the octets of RSAPrivateKey: version, n, e, d, p, q.
    let info = elements(elements(der.as_ref())[0]);
    let numbers = elements(elements(info[2])[0]);
    (BigUint::from_bytes_be(numbers[4]), BigUint::from_bytes_be(numbers[5]))
}

/// The contents of the DER elements in `der`.
fn elements(mut der: &[u8]) -> Vec<&[u8]> {
    let mut contents = Vec::new();
    while let [_, first, ..] = *der {
        let extra = if first < 0x80 { 0 } else { usize::from(first & 0x7f) };
        let long = der[2..2 + extra].iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        let len = if extra == 0 { usize::from(first) } else { long };
        let (content, rest) = der[2 + extra..].split_at(len);
        contents.push(content);
        der = rest;
    }
    contents
}

/// The DER of RSAPrivateKey: n, e, d, p, q, dP, dQ, qInv.
fn pkcs1(numbers: &[Vec<u8>; 8]) -> Vec<u8> {
    let element = |tag: u8, content: &[u8]| {
        let len = content.len();
        let header = match len {
            0..0x80 => vec![tag, len as u8],
            0x80..0x100 => vec![tag, 0x81, len as u8],
            _ => vec![tag, 0x82, (len >> 8) as u8, len as u8],
        };
        [&header, content].concat()
    };
    let mut body = element(2, &[0]);
    for number in numbers {
        let sign: &[u8] = if number[0] >> 7 == 1 { &[0] } else { &[] };
        body.extend(element(2, &[sign, number].concat()));
    }
    element(0x30, &body)
}
