//! ROCA (CVE-2017-15361): how to recognise the primes of a flawed generator, whose keys can be factored.

use num_bigint_dig::BigUint;

/// The generator made the primes of a key of 1984 bits or more as k·M + (65537^a mod M), where M is the
/// product of all primes up to this one, or of more of them (M. Nemec et al., "The Return of Coppersmith's
/// Attack: Practical Factorization of Widely Used RSA Moduli", CCS 2017).
const LAST_FACTOR: u32 = 701;

/// Whether that generator made this prime. Such a prime is a power of 65537 modulo each factor of M, as is only
/// one in 2^167 other primes.
pub(super) fn made(prime: &BigUint) -> bool {
    factors().all(|factor| is_power_of_65537(remainder(prime, factor), factor))
}

fn factors() -> impl Iterator<Item = u32> {
    (2..=LAST_FACTOR).filter(|number| (2..*number).all(|divisor| !number.is_multiple_of(divisor)))
}

fn is_power_of_65537(number: u32, modulus: u32) -> bool {
    let mut power = 1;
    while power != number {
        power = power * 65537 % modulus;
        if power == 1 {
            return false;
        }
    }
    true
}

fn remainder(number: &BigUint, divisor: u32) -> u32 {
    number.to_bytes_be().iter().fold(0, |remainder, byte| (remainder << 8 | u32::from(*byte)) % divisor)
}

#[cfg(test)]
mod tests {
    use num_bigint_dig::RandPrime;
    use rsa::rand_core::OsRng;

    use super::*;

    /// M for keys of 1984 to 3936 bits.
    fn product() -> BigUint {
        factors().map(BigUint::from).product()
    }

    #[test]
    fn what_the_generator_makes_is_known() {
        let m = product();
        assert_eq!(m.bits(), 971);
        for a in [0_u32, 1, 2, 1000, 0xdead_beef] {
            let power = BigUint::from(65537_u32).modpow(&BigUint::from(a), &m);
            for k in [1_u64, 0x3a_bcde_f012_3457, (1 << 53) - 1] {
                let made_by_it = &m * BigUint::from(k) + &power;
                assert!(made(&made_by_it));
                // Products of such primes are recognised too, so the public half is enough to recognise a key.
                assert!(made(&(&made_by_it * &made_by_it)));
                assert!(!made(&(made_by_it + 2_u8)));
            }
        }
    }

    #[test]
    fn a_thousand_other_primes_are_not_taken_for_its() {
        // 256 bits are as good as 1024 here: only their remainders matter.
        assert!((0..1000).all(|_| !made(&OsRng.gen_prime(256))));
    }
}
