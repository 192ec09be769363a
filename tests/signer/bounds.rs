//! How far a key may go: sound keys in unusual forms, and the bounds between what is accepted and what is refused.

use num_bigint_dig::BigUint;
use signwave::signer::{Engine, KeyFlaw, SignerError, import};
use support::numbers::{Numbers, e, inverse, lcm};

#[test]
fn a_sound_key_is_accepted_also_with_its_primes_swapped_or_d_unreduced() {
    let good = Numbers::good();
    import(&good.encode(), None).unwrap();
    // Some programs order the primes the other way, or compute d modulo (p - 1)(q - 1).
    import(&Numbers::of(good.q.clone(), good.p.clone(), e()).encode(), None).unwrap();
    let totient = (&good.p - 1_u8) * (&good.q - 1_u8);
    let d = inverse(&good.e, &totient).unwrap();
    let key = import(&Numbers { d, ..good }.encode(), None).unwrap();
    for engine in Engine::ALL {
        engine.signer(&key).unwrap();
    }
}

#[test]
fn the_largest_exponent_that_both_engines_take_is_accepted() {
    let good = Numbers::good();
    let totient = lcm(&(&good.p - 1_u8), &(&good.q - 1_u8));
    let mut largest = (0..).map(|i| BigUint::from((1_u64 << 33) - 1 - 2 * i));
    let largest = largest.find(|e| inverse(e, &totient).is_some()).unwrap();
    import(&Numbers::of(good.p, good.q, largest).encode(), None).unwrap();
}

/// The bound is on the distance alone, so the neighbours need not be prime.
#[test]
fn primes_may_be_as_close_as_the_bound_and_no_closer() {
    let good = Numbers::good();
    let refusal = |distance: BigUint| {
        let q = &good.p + distance;
        import(&Numbers { n: &good.p * &q, q, ..good.clone() }.encode(), None).unwrap_err()
    };
    let bound = BigUint::from(1_u8) << (1024_usize - 100);
    assert_eq!(refusal(BigUint::from(2_u8)), SignerError::Refused(KeyFlaw::ClosePrimes));
    assert_eq!(refusal(bound.clone()), SignerError::Refused(KeyFlaw::ClosePrimes));
    assert_eq!(refusal(bound + 2_u8), SignerError::Refused(KeyFlaw::PrivateExponent));
}
