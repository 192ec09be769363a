//! What a key must be before it may sign (FIPS 186-5, appendix A.1; RFC 8017, section 3).

use num_bigint_dig::{BigUint, RandBigInt, prime::probably_prime};
use rsa::rand_core::OsRng;

use super::{Engine, KeyFlaw, PrivateKey, PublicKey, SignerError, digest, numbers::Components, roca};
use crate::domain::{Scheme, SignatureBuf};

/// Rounds of Miller-Rabin with random bases. They follow a Baillie-PSW test, which no known composite passes.
const ROUNDS: usize = 16;

/// Checks that the parts of a key are consistent, and that the key signs.
pub(super) fn private_key(key: &PrivateKey) -> Result<(), SignerError> {
    let components = key.components();
    primes(&components)?;
    exponents(&components)?;
    if !is_prime(&components.p) || !is_prime(&components.q) {
        return Err(KeyFlaw::NotPrime.into());
    }
    if roca::made(&components.p) || roca::made(&components.q) {
        return Err(KeyFlaw::Roca.into());
    }
    if !trial(key)? {
        return Err(KeyFlaw::Trial.into());
    }
    Ok(())
}

fn primes(Components { n, p, q, .. }: &Components) -> Result<(), KeyFlaw> {
    if p * q != *n {
        return Err(KeyFlaw::Modulus);
    }
    if p == q {
        return Err(KeyFlaw::EqualPrimes);
    }
    let half = n.bits() / 2;
    if p.bits().min(q.bits()) < half {
        return Err(KeyFlaw::UnbalancedPrimes);
    }
    let distance = if p > q { p - q } else { q - p };
    if distance <= power_of_two(half - 100) {
        return Err(KeyFlaw::ClosePrimes);
    }
    Ok(())
}

fn exponents(Components { n, e, d, p, q, dp, dq, qinv }: &Components) -> Result<(), KeyFlaw> {
    let one = BigUint::from(1_u8);
    let (p_minus_1, q_minus_1) = (p - &one, q - &one);
    // A number that is congruent to 1 modulo both is congruent to 1 modulo their least common multiple.
    let product = d * e;
    if d >= n || &product % &p_minus_1 != one || &product % &q_minus_1 != one {
        return Err(KeyFlaw::PrivateExponent);
    }
    if *d <= power_of_two(n.bits() / 2) {
        return Err(KeyFlaw::SmallPrivateExponent);
    }
    if d % &p_minus_1 != *dp || d % &q_minus_1 != *dq || qinv >= p || (qinv * q) % p != one {
        return Err(KeyFlaw::CrtParameters);
    }
    Ok(())
}

fn is_prime(number: &BigUint) -> bool {
    probably_prime(number, 0)
        && (0..ROUNDS).all(|_| {
            let base = OsRng.gen_biguint_range(&BigUint::from(2_u8), number);
            survives_miller_rabin(number, &base)
        })
}

/// One round of the test of FIPS 186-5, appendix B.3.1, for an odd number.
fn survives_miller_rabin(number: &BigUint, base: &BigUint) -> bool {
    let minus_one = number - BigUint::from(1_u8);
    let twos = minus_one.trailing_zeros().unwrap_or(0);
    let mut power = base.modpow(&(&minus_one >> twos), number);
    if power == BigUint::from(1_u8) {
        return true;
    }
    for _ in 1..twos {
        if power == minus_one {
            return true;
        }
        power = &power * &power % number;
    }
    power == minus_one
}

/// The engines that try a key. The third, lanes, leaves a single digest to aws-lc, and checks its results anyway.
const TRIED: [Engine; 2] = [Engine::AwsLc, Engine::Rsa];

/// Signs with aws-lc and with rsa, and verifies with both, in both paddings.
fn trial(key: &PrivateKey) -> Result<bool, SignerError> {
    let public_key: &PublicKey = key.public_key();
    // One scheme for each padding that the key may be used with.
    let schemes = || {
        let first = |is_pss| {
            Scheme::ALL.into_iter().find(|scheme| scheme.is_pss() == is_pss && public_key.may_sign(*scheme))
        };
        [true, false].into_iter().filter_map(first)
    };
    for engine in TRIED {
        for scheme in schemes() {
            let digest = digest(scheme.digest(), public_key.spki());
            let mut signatures = SignatureBuf::with_capacity(public_key.modulus_len(), 1);
            engine.signer(key)?.sign(scheme, &[digest], &mut signatures)?;
            let Some(signature) = signatures.iter().next() else { return Ok(false) };
            for verifier in TRIED {
                if !verifier.verifier(public_key)?.verify(scheme, &digest, signature) {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

fn power_of_two(exponent: usize) -> BigUint {
    BigUint::from(1_u8) << exponent
}
