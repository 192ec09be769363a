//! Whole signatures against aws-lc: every size, every scheme, many keys.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/mod.rs"]
mod common;
mod encodings;

use aws_lc_rs::{
    digest,
    signature::{self, ParsedPublicKey, RsaEncoding, RsaParameters},
};
use common::{
    keys::TestKey,
    random::{Random, count},
};
use num_bigint_dig::BigUint;
use signwave_lanes::{Components, Hash, LANES, Padding, PrivateKey, PublicKey, Refused, Scheme, SignError};

const SIZES: [usize; 3] = [2048, 3072, 4096];

/// A scheme with the other library's names for it.
struct Both {
    scheme: Scheme,
    algorithm: &'static digest::Algorithm,
    sign: &'static dyn RsaEncoding,
    verify: &'static RsaParameters,
}

fn schemes() -> [Both; 6] {
    use Hash::{Sha256, Sha384, Sha512};
    use Padding::{Pkcs1v15, Pss};
    let both = |padding, hash, algorithm, sign, verify| Both {
        scheme: Scheme { padding, hash },
        algorithm,
        sign,
        verify,
    };
    let (sha256, sha384, sha512) = (&digest::SHA256, &digest::SHA384, &digest::SHA512);
    [
        both(Pkcs1v15, Sha256, sha256, &signature::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_2048_8192_SHA256),
        both(Pkcs1v15, Sha384, sha384, &signature::RSA_PKCS1_SHA384, &signature::RSA_PKCS1_2048_8192_SHA384),
        both(Pkcs1v15, Sha512, sha512, &signature::RSA_PKCS1_SHA512, &signature::RSA_PKCS1_2048_8192_SHA512),
        both(Pss, Sha256, sha256, &signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256),
        both(Pss, Sha384, sha384, &signature::RSA_PSS_SHA384, &signature::RSA_PSS_2048_8192_SHA384),
        both(Pss, Sha512, sha512, &signature::RSA_PSS_SHA512, &signature::RSA_PSS_2048_8192_SHA512),
    ]
}

/// A key in both libraries, for signing and for verifying.
struct Opened {
    key: TestKey,
    private: PrivateKey,
    public: PublicKey,
    /// SubjectPublicKeyInfo would need a parser; aws-lc also takes the DER of RSAPublicKey.
    public_der: Vec<u8>,
}

impl Opened {
    fn generate(bits: usize, random: &mut Random) -> Self {
        let key = TestKey::generate(bits, random);
        let components = key.components();
        let private = PrivateKey::new(&components).unwrap();
        let public = PublicKey::new(components.n, components.e).unwrap();
        let public_der = signature::KeyPair::public_key(&key.pair).as_ref().to_vec();
        Self { key, private, public, public_der }
    }

    /// Signs eight random digests and compares everything with aws-lc. Returns the digests and the signatures.
    fn check(&self, both: &Both, random: &mut Random) {
        let (scheme, len) = (both.scheme, self.private.modulus_len());
        let digests: Vec<digest::Digest> = (0..LANES)
            .map(|_| {
                let mut message = [0; 16];
                random.fill(&mut message);
                digest::digest(both.algorithm, &message)
            })
            .collect();
        let bytes: [&[u8]; LANES] = std::array::from_fn(|lane| digests[lane].as_ref());
        let mut signatures = vec![0; LANES * len];
        let mut salts = |buffer: &mut [u8]| {
            random.fill(buffer);
            Ok(())
        };
        self.private.sign(scheme, &bytes, &mut salts, &mut signatures).unwrap();
        let theirs = ParsedPublicKey::new(both.verify, &self.public_der).unwrap();
        for (signature, digest) in signatures.chunks(len).zip(&digests) {
            match scheme.padding {
                Padding::Pkcs1v15 => {
                    let mut expected = vec![0; len];
                    self.key.pair.sign_digest(both.sign, digest, &mut expected).unwrap();
                    assert!(signature == expected, "{scheme:?} of {:?}", self.private);
                }
                Padding::Pss => theirs.verify_digest_sig(digest, signature).unwrap(),
            }
        }
        let signatures: [&[u8]; LANES] = std::array::from_fn(|lane| &signatures[lane * len..][..len]);
        assert_eq!(self.public.verify(scheme, &bytes, &signatures), [true; LANES]);
        // Each signature stands for another digest now.
        let shifted: [&[u8]; LANES] = std::array::from_fn(|lane| bytes[(lane + 1) % LANES]);
        assert_eq!(self.public.verify(scheme, &shifted, &signatures), [false; LANES]);
    }
}

#[test]
fn signatures_equal_those_of_aws_lc_or_are_verified_by_it() {
    let mut random = Random::new();
    // Groups of eight: 2,520 groups are 20,160 signatures.
    let groups = count("TEST_GROUPS", 2520);
    let per_key = count("TEST_GROUPS_PER_KEY", 60);
    let shares = [groups * 3 / 5, groups / 4, groups - groups * 3 / 5 - groups / 4];
    for (bits, share) in SIZES.into_iter().zip(shares) {
        for from in (0..share).step_by(per_key) {
            let opened = Opened::generate(bits, &mut random);
            for (_, both) in (from..share.min(from + per_key)).zip(schemes().iter().cycle()) {
                opened.check(both, &mut random);
            }
        }
    }
}

#[test]
fn numbers_at_the_edges_are_raised_as_a_library_of_big_numbers_raises_them() {
    let mut random = Random::new();
    for bits in SIZES {
        let opened = Opened::generate(bits, &mut random);
        let (numbers, len) = (&opened.key.numbers, bits / 8);
        let (n, p, q) = (&numbers.n, &numbers.p, &numbers.q);
        let one = BigUint::from(1_u8);
        let digits = |count: usize| (&one << (52 * count)) - &one;
        let edges = [
            BigUint::default(),
            one.clone(),
            n - &one,
            p.clone(),
            q.clone(),
            n - p,
            n - q,
            p - &one,
            p + &one,
            q - &one,
            q + &one,
            p * BigUint::from(3_u8),
            q * BigUint::from(5_u8),
            p * (q - &one),
            q * (p - &one),
            (n >> 1) + &one,
            (&one << (bits - 1)) - &one,
            digits(1),
            digits(10),
            digits(20),
            digits(1) + &one,
            digits(10) + &one,
            digits(20) + &one,
            &one << (bits - 2),
        ];
        for edges in edges.chunks(LANES) {
            let padded = edges.iter().flat_map(|edge| {
                let bytes = edge.to_bytes_be();
                [vec![0; len - bytes.len()], bytes].concat()
            });
            let input: Vec<u8> = padded.collect();
            let (mut output, mut back) = (vec![0; input.len()], vec![0; input.len()]);
            opened.private.exponentiate(&input, &mut output).unwrap();
            for (result, edge) in output.chunks(len).zip(edges) {
                assert_eq!(
                    BigUint::from_bytes_be(result),
                    edge.modpow(&numbers.d, n),
                    "{edge} of {bits} bits"
                );
            }
            assert_eq!(opened.public.exponentiate(&output, &mut back), [true; LANES]);
            assert_eq!(back, input);
        }
    }
}

#[test]
fn a_number_that_is_not_below_the_modulus_is_neither_signed_nor_verified() {
    let mut random = Random::new();
    for bits in SIZES {
        let opened = Opened::generate(bits, &mut random);
        let n = opened.key.numbers.n.to_bytes_be();
        for lane in 0..LANES {
            let mut input = vec![0; LANES * n.len()];
            let (mut output, mut expected) = (input.clone(), [true; LANES]);
            input[lane * n.len()..][..n.len()].copy_from_slice(&n);
            expected[lane] = false;
            assert_eq!(opened.private.exponentiate(&input, &mut output), Err(SignError::OutOfRange));
            assert_eq!(opened.public.exponentiate(&input, &mut output), expected);
        }
    }
}

#[test]
fn a_changed_signature_digest_or_length_is_found_in_its_lane_only() {
    let mut random = Random::new();
    let opened = Opened::generate(2048, &mut random);
    for both in &schemes() {
        let mut digest = vec![0; both.scheme.hash.digest_len()];
        random.fill(&mut digest);
        let mut signatures = vec![0; LANES * 256];
        let mut salts = |buffer: &mut [u8]| {
            random.fill(buffer);
            Ok(())
        };
        opened.private.sign(both.scheme, &[&digest; LANES], &mut salts, &mut signatures).unwrap();
        for lane in 0..LANES {
            let mut changed = signatures.clone();
            changed[lane * 256 + random.below(256)] ^= 1 << random.below(8);
            let lanes: [&[u8]; LANES] = std::array::from_fn(|lane| &changed[lane * 256..][..256]);
            let expected = std::array::from_fn(|other| other != lane);
            assert_eq!(opened.public.verify(both.scheme, &[&digest; LANES], &lanes), expected);
            let mut short: [&[u8]; LANES] = std::array::from_fn(|lane| &signatures[lane * 256..][..256]);
            short[lane] = &short[lane][..255];
            assert_eq!(opened.public.verify(both.scheme, &[&digest; LANES], &short), expected);
        }
        for other in schemes().iter().filter(|other| other.scheme != both.scheme) {
            let lanes: [&[u8]; LANES] = std::array::from_fn(|lane| &signatures[lane * 256..][..256]);
            let mut resized = digest.clone();
            resized.resize(other.scheme.hash.digest_len(), 0);
            let none = [false; LANES];
            assert_eq!(
                opened.public.verify(other.scheme, &[&resized; LANES], &lanes),
                none,
                "{:?}",
                other.scheme
            );
        }
    }
}

#[test]
fn keys_that_do_not_fit_are_refused_with_the_reason() {
    let mut random = Random::new();
    let key = TestKey::generate(2048, &mut random);
    let good = key.components();
    let refused = |components: Components<'_>| PrivateKey::new(&components).map(drop).unwrap_err();
    assert_eq!(refused(Components { n: &good.n[1..], ..good }), Refused::Size);
    assert_eq!(refused(Components { p: &good.p[1..], ..good }), Refused::Lengths);
    assert_eq!(refused(Components { dp: good.n, ..good }), Refused::Lengths);
    assert_eq!(refused(Components { q: good.p, ..good }), Refused::Inconsistent);
    for e in [&[1][..], &[1, 0, 0], &[1, 0, 0, 0, 0, 0, 0, 0, 1], &[]] {
        assert_eq!(refused(Components { e, ..good }), Refused::Exponent);
        assert_eq!(PublicKey::new(good.n, e).map(drop), Err(Refused::Exponent));
    }
    let even = |number: &[u8]| [&number[..number.len() - 1], &[number[number.len() - 1] ^ 1]].concat();
    assert_eq!(refused(Components { n: &even(good.n), ..good }), Refused::Even);
    assert_eq!(refused(Components { p: &even(good.p), ..good }), Refused::Even);
    let zeros = [&[0; 3], good.dp].concat();
    PrivateKey::new(&Components { dp: &zeros, ..good }).expect("leading zeros do not matter");
}

#[test]
fn this_machine_computes_the_known_answers() {
    assert!(signwave_lanes::is_supported());
    assert_eq!(signwave_lanes::self_test(), Ok(()));
}

#[test]
fn wrong_lengths_and_a_failing_source_of_chance_leave_the_buffer_alone() {
    let mut random = Random::new();
    let key = PrivateKey::new(&TestKey::generate(2048, &mut random).components()).unwrap();
    let scheme = Scheme { padding: Padding::Pss, hash: Hash::Sha256 };
    let mut signatures = vec![7; LANES * 256];
    let mut failing = |_: &mut [u8]| Err(signwave_lanes::RandomFailed);
    let failed = key.sign(scheme, &[&[0; 32]; LANES], &mut failing, &mut signatures);
    assert_eq!(failed, Err(SignError::Random(signwave_lanes::RandomFailed)));
    let failed = key.sign(scheme, &[&[0; 31]; LANES], &mut |_| Ok(()), &mut signatures);
    assert_eq!(failed, Err(SignError::DigestLength));
    let failed = key.sign(scheme, &[&[0; 32]; LANES], &mut |_| Ok(()), &mut signatures[1..]);
    assert_eq!(failed, Err(SignError::BufferLength));
    assert!(signatures.iter().all(|byte| *byte == 7));
}
