//! The numbers of an RSA key, for tests that spoil them.

use num_bigint_dig::{BigUint, ModInverse};
use rsa::{
    RsaPrivateKey,
    pkcs1::{self, UintRef, der::Encode},
    pkcs8::DecodePrivateKey,
    traits::{PrivateKeyParts, PublicKeyParts},
};

/// The numbers of a key, each of which a test may spoil.
#[derive(Clone)]
pub struct Numbers {
    pub n: BigUint,
    pub e: BigUint,
    pub d: BigUint,
    pub p: BigUint,
    pub q: BigUint,
    pub dp: BigUint,
    pub dq: BigUint,
    pub qinv: BigUint,
}

impl Numbers {
    pub fn good() -> Self {
        let pem = include_str!("../../fixtures/signer/rsa2048.pem");
        let key = RsaPrivateKey::from_pkcs8_pem(pem).expect("the fixture is a good key");
        let [p, q] = key.primes() else { panic!("two primes") };
        let numbers = Self::of(p.clone(), q.clone(), key.e().clone());
        assert_eq!(numbers.n, *key.n());
        numbers
    }

    /// The key that p and q would make if they were good primes.
    pub fn of(p: BigUint, q: BigUint, e: BigUint) -> Self {
        let (p_minus_1, q_minus_1) = (&p - 1_u8, &q - 1_u8);
        let d = inverse(&e, &lcm(&p_minus_1, &q_minus_1)).expect("e can be inverted");
        let (dp, dq) = (&d % &p_minus_1, &d % &q_minus_1);
        let qinv = inverse(&q, &p).unwrap_or_else(|| BigUint::from(1_u8));
        Self { n: &p * &q, e, d, p, q, dp, dq, qinv }
    }

    /// PKCS#1 DER.
    pub fn encode(&self) -> Vec<u8> {
        let numbers = [&self.n, &self.e, &self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qinv];
        let bytes = numbers.map(BigUint::to_bytes_be);
        let [n, e, d, p, q, dp, dq, qinv] =
            bytes.each_ref().map(|bytes| UintRef::new(bytes).expect("a number"));
        let key = pkcs1::RsaPrivateKey {
            modulus: n,
            public_exponent: e,
            private_exponent: d,
            prime1: p,
            prime2: q,
            exponent1: dp,
            exponent2: dq,
            coefficient: qinv,
            other_prime_infos: None,
        };
        key.to_der().expect("it can be encoded")
    }
}

/// The public exponent of good keys.
pub fn e() -> BigUint {
    BigUint::from(65537_u32)
}

pub fn lcm(a: &BigUint, b: &BigUint) -> BigUint {
    let (mut gcd, mut rest) = (a.clone(), b.clone());
    while rest != BigUint::default() {
        (gcd, rest) = (rest.clone(), gcd % rest);
    }
    a * b / gcd
}

pub fn inverse(number: &BigUint, modulus: &BigUint) -> Option<BigUint> {
    number.mod_inverse(modulus)?.to_biguint()
}
