//! The numbers of a private key. Numbers that a file omits are computed from the others.

use num_bigint_dig::{BigUint, ModInverse};
use rsa::pkcs1::{
    self, UintRef,
    der::{self, Encode},
};
use zeroize::{Zeroize, Zeroizing};

use super::KeyFlaw;

/// The numbers of a key by their names in RFC 8017, section 3.2; wiped when dropped.
#[derive(Default)]
pub(super) struct Components {
    pub(super) n: BigUint,
    pub(super) e: BigUint,
    pub(super) d: BigUint,
    pub(super) p: BigUint,
    pub(super) q: BigUint,
    pub(super) dp: BigUint,
    pub(super) dq: BigUint,
    pub(super) qinv: BigUint,
}

impl Components {
    pub(super) fn of(key: &pkcs1::RsaPrivateKey<'_>) -> Self {
        let number = |integer: UintRef<'_>| BigUint::from_bytes_be(integer.as_bytes());
        Self {
            n: number(key.modulus),
            e: number(key.public_exponent),
            d: number(key.private_exponent),
            p: number(key.prime1),
            q: number(key.prime2),
            dp: number(key.exponent1),
            dq: number(key.exponent2),
            qinv: number(key.coefficient),
        }
    }

    /// Whether the CRT parameters, and perhaps the primes, were omitted.
    pub(super) fn are_partial(&self) -> bool {
        let zero = BigUint::default();
        [&self.dp, &self.dq, &self.qinv].iter().all(|number| **number == zero)
    }

    /// Computes the omitted numbers. Callers must have checked the size. The result may be inconsistent.
    pub(super) fn complete(mut self) -> Result<Self, KeyFlaw> {
        if self.p == BigUint::default() && self.q == BigUint::default() {
            (self.p, self.q) = factors(&self).ok_or(KeyFlaw::PrivateExponent)?;
        }
        if &self.p * &self.q != self.n {
            return Err(KeyFlaw::Modulus);
        }
        let one = BigUint::from(1_u8);
        if self.p <= one || self.q <= one {
            return Err(KeyFlaw::UnbalancedPrimes);
        }
        self.dp = &self.d % (&self.p - &one);
        self.dq = &self.d % (&self.q - &one);
        let inverse = (&self.q).mod_inverse(&self.p).and_then(|inverse| inverse.to_biguint());
        self.qinv = inverse.ok_or(KeyFlaw::EqualPrimes)?;
        Ok(self)
    }

    /// PKCS#1 `RSAPrivateKey` in DER.
    pub(super) fn to_pkcs1(&self) -> der::Result<Zeroizing<Vec<u8>>> {
        let Self { n, e, d, p, q, dp, dq, qinv } = self;
        let bytes = [n, e, d, p, q, dp, dq, qinv].map(|number| Zeroizing::new(number.to_bytes_be()));
        let number = |index: usize| UintRef::new(&bytes[index]);
        let key = pkcs1::RsaPrivateKey {
            modulus: number(0)?,
            public_exponent: number(1)?,
            private_exponent: number(2)?,
            prime1: number(3)?,
            prime2: number(4)?,
            exponent1: number(5)?,
            exponent2: number(6)?,
            coefficient: number(7)?,
            other_prime_infos: None,
        };
        key.to_der().map(Zeroizing::new)
    }
}

impl Drop for Components {
    fn drop(&mut self) {
        for secret in [&mut self.d, &mut self.p, &mut self.q, &mut self.dp, &mut self.dq, &mut self.qinv] {
            secret.zeroize();
        }
    }
}

/// Each base finds the factors of a valid key with a probability of at least one half.
const BASES: [u8; 32] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131,
];

/// Factors n with the help of d, the larger prime first (NIST SP 800-56B, appendix C.1): a power of a base
/// whose square is 1, and which is neither 1 nor −1, shares a factor with n after 1 is subtracted.
fn factors(Components { n, e, d, .. }: &Components) -> Option<(BigUint, BigUint)> {
    let one = BigUint::from(1_u8);
    if *d == BigUint::default() || d >= n {
        return None;
    }
    let multiple = Zeroizing::new(d * e - &one);
    let minus_one = n - &one;
    let twos = multiple.trailing_zeros()?;
    let odd = Zeroizing::new(&*multiple >> twos);
    'bases: for base in BASES {
        let mut power = Zeroizing::new(BigUint::from(base).modpow(&odd, n));
        if *power == one || *power == minus_one {
            continue;
        }
        for _ in 0..twos {
            let square = Zeroizing::new(&*power * &*power % n);
            if *square == one {
                let p = gcd(n.clone(), &*power - &one);
                let q = n / &p;
                return Some(if p > q { (p, q) } else { (q, p) });
            }
            if *square == minus_one {
                continue 'bases;
            }
            power = square;
        }
        return None;
    }
    None
}

/// Euclid's algorithm. The library's `gcd` would leave copies of secret numbers behind.
fn gcd(mut a: BigUint, mut b: BigUint) -> BigUint {
    while b != BigUint::default() {
        let rest = &a % &b;
        a.zeroize();
        a = std::mem::replace(&mut b, rest);
    }
    a
}
