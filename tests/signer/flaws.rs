//! Keys that parse and must not be used: each is built with one flaw and refused for it.

use std::iter;

use num_bigint_dig::{BigUint, RandPrime, prime::probably_prime};
use rsa::rand_core::OsRng;
use signwave::signer::{Engine, KeyFlaw, PublicKey, SignerError, import};
use support::{
    numbers::{Numbers, e, inverse, lcm},
    openssl::openssl,
};

fn prime(bits: usize) -> BigUint {
    OsRng.gen_prime(bits)
}

#[track_caller]
fn assert_refused(numbers: &Numbers, flaw: KeyFlaw) {
    assert_eq!(import(&numbers.encode(), None).map(|_| ()), Err(SignerError::Refused(flaw)));
}

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
fn sizes_out_of_bounds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for bits in [1024, 2040] {
        let key = openssl(folder.path(), &format!("genrsa {bits}"));
        let error = import(&key, None).unwrap_err();
        assert_eq!(error, SignerError::Refused(KeyFlaw::Size { bits }));
        assert!(error.to_string().contains("2048 to 8192"));
    }
    let good = Numbers::good();
    let n = (BigUint::from(1_u8) << 8192_usize) + 1_u8;
    assert_refused(&Numbers { n, ..good }, KeyFlaw::Size { bits: 8193 });
}

#[test]
fn bad_exponents_are_refused() {
    let good = Numbers::good();
    let with = |e: u64| Numbers { e: BigUint::from(e), ..good.clone() };
    assert_refused(&with(65538), KeyFlaw::EvenExponent);
    assert_refused(&with(1), KeyFlaw::SmallExponent { exponent: 1 });
    assert_refused(&with(65535), KeyFlaw::SmallExponent { exponent: 65535 });
    assert_refused(&with((1 << 33) + 1), KeyFlaw::LargeExponent { bits: 34 });
    let huge = Numbers { e: &good.n - 2_u8, ..good.clone() };
    assert_refused(&huge, KeyFlaw::LargeExponent { bits: 2048 });

    let key = openssl(
        tempfile::tempdir().unwrap().path(),
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3",
    );
    let refused = SignerError::Refused(KeyFlaw::SmallExponent { exponent: 3 });
    assert_eq!(import(&key, None).unwrap_err(), refused);

    // The largest that both libraries take.
    let largest = (0..).map(|i| BigUint::from((1_u64 << 33) - 1 - 2 * i));
    let totient = lcm(&(&good.p - 1_u8), &(&good.q - 1_u8));
    let largest = largest.into_iter().find(|e| inverse(e, &totient).is_some()).unwrap();
    import(&Numbers::of(good.p, good.q, largest).encode(), None).unwrap();
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let good = Numbers::good();
    let change = |spoil: fn(&mut Numbers)| {
        let mut numbers = good.clone();
        spoil(&mut numbers);
        numbers
    };
    assert_refused(&change(|k| k.n += 2_u8), KeyFlaw::Modulus);
    assert_refused(&change(|k| k.n += 1_u8), KeyFlaw::EvenModulus);
    assert_refused(&change(|k| k.p += 2_u8), KeyFlaw::Modulus);
    assert_refused(&change(|k| k.d += 2_u8), KeyFlaw::PrivateExponent);
    assert_refused(&change(|k| k.d += &k.p - 1_u8), KeyFlaw::PrivateExponent);
    assert_refused(&change(|k| k.d += &k.q - 1_u8), KeyFlaw::PrivateExponent);
    assert_refused(&change(|k| k.e += 2_u8), KeyFlaw::PrivateExponent);
    assert_refused(
        &change(|k| k.d += lcm(&(&k.p - 1_u8), &(&k.q - 1_u8)) * (&k.n - 1_u8)),
        KeyFlaw::PrivateExponent,
    );
    assert_refused(&change(|k| k.dp += 1_u8), KeyFlaw::CrtParameters);
    assert_refused(&change(|k| k.dp += &k.p - 1_u8), KeyFlaw::CrtParameters);
    assert_refused(&change(|k| k.dq += 1_u8), KeyFlaw::CrtParameters);
    assert_refused(&change(|k| k.qinv += 1_u8), KeyFlaw::CrtParameters);
    assert_refused(&change(|k| k.qinv += &k.p), KeyFlaw::CrtParameters);
}

#[test]
fn factors_that_are_not_good_primes_are_refused() {
    let good = Numbers::good();
    // Two factors make a p that is used as if it were prime: everything fits but primality.
    let fits = |composite: &BigUint| {
        [&good.p, &good.q].iter().all(|prime| (*prime * composite).bits() == 2048)
            && inverse(&e(), &(composite - 1_u8)).is_some()
    };
    let composite = iter::repeat_with(|| prime(512) * prime(512)).find(fits).unwrap();
    assert_refused(&Numbers::of(composite.clone(), good.q.clone(), e()), KeyFlaw::NotPrime);
    assert_refused(&Numbers::of(good.p.clone(), composite, e()), KeyFlaw::NotPrime);
    assert_refused(&Numbers::of(good.p.clone(), good.p.clone(), e()), KeyFlaw::EqualPrimes);
    assert_refused(&Numbers::of(prime(512), prime(1536), e()), KeyFlaw::UnbalancedPrimes);

    let one = Numbers { p: BigUint::from(1_u8), q: good.n.clone(), ..good.clone() };
    assert_refused(&one, KeyFlaw::UnbalancedPrimes);

    // The bound is on the distance alone, so the neighbours need not be prime.
    let close = |distance: BigUint| Numbers {
        n: &good.p * (&good.p + &distance),
        q: &good.p + distance,
        ..good.clone()
    };
    let bound = BigUint::from(1_u8) << (1024_usize - 100);
    assert_refused(&close(BigUint::from(2_u8)), KeyFlaw::ClosePrimes);
    assert_refused(&close(bound.clone()), KeyFlaw::ClosePrimes);
    assert_refused(&close(bound + 2_u8), KeyFlaw::PrivateExponent);
}

#[test]
fn a_private_exponent_that_the_public_key_gives_away_is_refused() {
    // With an e of at most 33 bits, d can be small only if p - 1 and q - 1 share a huge factor.
    let shared = prime(1010);
    let mut primes = (1_u32 << 12..1 << 14)
        .map(|factor| &shared * 2_u8 * factor + 1_u8)
        .filter(|candidate| candidate.bits() == 1024 && probably_prime(candidate, 4));
    let (p, q) = (primes.next_back().unwrap(), primes.next_back().unwrap());
    let totient = lcm(&(&p - 1_u8), &(&q - 1_u8));
    let bound = BigUint::from(1_u8) << 1024_usize;
    let small = (65537_u32..)
        .step_by(2)
        .map(BigUint::from)
        .find(|e| inverse(e, &totient).is_some_and(|d| d <= bound))
        .unwrap();
    assert_refused(&Numbers::of(p, q, small), KeyFlaw::SmallPrivateExponent);
}

#[test]
fn a_key_with_three_primes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pkcs8 = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_primes:3";
    for command in [pkcs8, "genrsa -traditional -primes 3 2048"] {
        let error = import(&openssl(folder.path(), command), None).unwrap_err();
        assert_eq!(error, SignerError::Refused(KeyFlaw::MultiPrime), "{command}");
    }
}

#[test]
fn keys_that_share_a_prime_are_found() {
    let good = Numbers::good();
    let key = import(&good.encode(), None).unwrap();
    let public = |p, q| import(&Numbers::of(p, q, e()).encode(), None).unwrap().public_key().clone();
    let shares = |other: &PublicKey| key.shares_prime_with(other);
    let fresh = || iter::repeat_with(|| prime(1024)).find(|p| inverse(&e(), &(p - 1_u8)).is_some()).unwrap();

    assert!(shares(&public(good.p.clone(), fresh())));
    assert!(shares(&public(fresh(), good.q.clone())));
    assert!(shares(key.public_key()));
    assert!(!shares(&public(fresh(), fresh())));
    let other = import(include_bytes!("../fixtures/signer/other2048.pem"), None).unwrap();
    assert!(!shares(other.public_key()));
}
