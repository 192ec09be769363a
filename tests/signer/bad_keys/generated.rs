//! Primes from a seed, good ones and those of bad generators.

use num_bigint_dig::{BigUint, RandPrime, prime::probably_prime};
use rsa::rand_core::{Error, RngCore, impls};
use support::{numbers::e, random::Random};

/// An endless supply of primes.
pub struct Primes(Random);

impl Primes {
    pub fn new(random: Random) -> Self {
        Self(random)
    }

    /// A good prime whose two highest bits are set, so that two of them make a modulus of twice the bits.
    pub fn prime(&mut self, bits: usize) -> BigUint {
        loop {
            let prime = self.gen_prime(bits);
            if fits(&prime, &e()) {
                return prime;
            }
        }
    }

    /// A prime that a key with this exponent may have.
    pub fn prime_for(&mut self, bits: usize, exponent: u64) -> BigUint {
        loop {
            let prime = self.gen_prime(bits);
            if fits(&prime, &exponent.into()) {
                return prime;
            }
        }
    }

    /// A prime of the generator of CVE-2017-15361: k·M + (65537^a mod M), where M is the product of the
    /// first `count` primes.
    pub fn roca(&mut self, bits: usize, count: usize) -> BigUint {
        let m: BigUint = (2_u32..)
            .filter(|number| (2..*number).all(|divisor| number % divisor != 0))
            .take(count)
            .map(BigUint::from)
            .product();
        // The two highest bits of the prime are set, as of all others here.
        let least = (BigUint::from(3_u8) << (bits - 2)) / &m + 1_u8;
        let most = (BigUint::from(1_u8) << bits) / &m;
        loop {
            let k = &least + self.number() % (&most - &least);
            let power = e().modpow(&self.number(), &m);
            let prime = &m * k + power;
            if prime.bits() == bits && probably_prime(&prime, 0) && fits(&prime, &e()) {
                return prime;
            }
        }
    }

    /// A number of 1024 bits.
    fn number(&mut self) -> BigUint {
        let mut bytes = [0; 128];
        self.fill_bytes(&mut bytes);
        BigUint::from_bytes_be(&bytes)
    }
}

/// The next good prime from here on.
pub fn next_prime(from: BigUint) -> BigUint {
    let mut candidate = if &from % 2_u8 == BigUint::default() { from + 1_u8 } else { from };
    while !(probably_prime(&candidate, 0) && fits(&candidate, &e())) {
        candidate += 2_u8;
    }
    candidate
}

/// Whether the exponent can be inverted modulo p - 1; it is prime.
fn fits(prime: &BigUint, exponent: &BigUint) -> bool {
    (prime - 1_u8) % exponent != BigUint::default()
}

impl RngCore for Primes {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0.below(1 << 32) << 32 | self.0.below(1 << 32)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        impls::fill_bytes_via_next(self, bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}
