//! The engine that signs eight digests at once, against aws-lc: every number of digests, many keys, verdict by verdict.

use std::thread;

use num_bigint_dig::BigUint;
use pkcs8::{PrivateKeyInfo, der::Decode};
use signwave::{
    domain::{Digest, Scheme, SignatureBuf},
    signer::{Engine, LANES, PrivateKey, Signer, SignerError, Verifier, digest, generate, import},
};
use support::{
    numbers::{Numbers, e, inverse, lcm},
    openssl::openssl,
    random::{Random, count},
};

/// Says what is tested here: on a processor without AVX-512 IFMA it is that aws-lc stands in.
fn say_what_is_tested() {
    let what = if Engine::Lanes.is_supported() {
        "eight lanes of AVX-512 IFMA"
    } else {
        "aws-lc in the place of lanes, because this processor lacks AVX-512 IFMA"
    };
    println!("tested: {what}");
}

/// One key, opened by both engines.
struct Both {
    lanes: Box<dyn Signer>,
    aws_lc: Box<dyn Signer>,
    verifiers: [Box<dyn Verifier>; 2],
}

impl Both {
    fn open(key: &PrivateKey) -> Self {
        let verifier = |engine: Engine| engine.verifier(key.public_key()).unwrap();
        Self {
            lanes: Engine::Lanes.signer(key).unwrap(),
            aws_lc: Engine::AwsLc.signer(key).unwrap(),
            verifiers: [verifier(Engine::AwsLc), verifier(Engine::Lanes)],
        }
    }

    /// Has lanes sign `count` new digests. The signatures must be those of aws-lc (RS*), or verify (PS*).
    fn check(&mut self, scheme: Scheme, count: usize, random: &mut Random) {
        let new = |random: &mut Random| digest(scheme.digest(), &random.below(u64::MAX).to_be_bytes());
        let digests: Vec<Digest> = (0..count).map(|_| new(random)).collect();
        let width = self.lanes.public_key().modulus_len();
        let sign = |signer: &mut dyn Signer| {
            let mut out = SignatureBuf::with_capacity(width, count);
            signer.sign(scheme, &digests, &mut out).unwrap();
            out
        };
        let made = sign(&mut *self.lanes);
        assert_eq!(made.len(), count);
        if !scheme.is_pss() {
            let expected = sign(&mut *self.aws_lc);
            assert!(made.iter().eq(expected.iter()), "{count} digests, {scheme}, {width} bytes");
        }
        let mut signed: Vec<_> = digests.iter().copied().zip(made.iter().map(<[u8]>::to_vec)).collect();
        self.judge(scheme, &signed, &vec![true; count]);
        // One of them is spoilt, in its digest or in its signature, and the others still verify.
        let at = random.below(count as u64) as usize;
        match random.below(2) {
            0 => signed[at].0 = new(random),
            _ => signed[at].1[random.below(width as u64) as usize] ^= 1 << random.below(8),
        }
        let expected: Vec<_> = (0..count).map(|i| i != at).collect();
        self.judge(scheme, &signed, &expected);
    }

    /// Both engines must come to these verdicts.
    fn judge(&self, scheme: Scheme, signed: &[(Digest, Vec<u8>)], expected: &[bool]) {
        let signed: Vec<_> = signed.iter().map(|(digest, made)| (*digest, made.as_slice())).collect();
        for verifier in &self.verifiers {
            assert_eq!(verifier.verify_all(scheme, &signed), expected, "{scheme}");
        }
    }
}

#[test]
fn any_number_of_digests_is_signed_as_aws_lc_signs_them() {
    say_what_is_tested();
    let mut random = Random::new();
    let pems: [&[u8]; 4] = [
        include_bytes!("../fixtures/signer/rsa2048.pem"),
        include_bytes!("../fixtures/signer/rsa3072.pem"),
        include_bytes!("../fixtures/signer/rsa4096.pem"),
        include_bytes!("../fixtures/signer/rsa2560.pem"), // not for lanes
    ];
    for pem in pems {
        let mut both = Both::open(&import(pem, None).unwrap());
        for scheme in Scheme::ALL {
            (1..=17).for_each(|count| both.check(scheme, count, &mut random));
        }
    }
}

#[test]
fn signatures_of_many_keys_equal_those_of_aws_lc_or_are_verified_by_it() {
    say_what_is_tested();
    let (signatures, keys) = (count("TEST_SIGNATURES", 20_000), count("TEST_KEYS", 20));
    let (mut random, threads) = (Random::new(), thread::available_parallelism().map_or(1, usize::from));
    thread::scope(|scope| {
        for share in 0..threads {
            let mut random = random.another();
            scope.spawn(move || {
                for key in (share..keys).step_by(threads) {
                    // Of twenty keys twelve have 2048 bits, five 3072 and three 4096.
                    let bits = [2048, 3072, 4096][[12, 17].iter().filter(|from| key % 20 >= **from).count()];
                    sign_with_one(bits, signatures.div_ceil(keys), &mut random);
                }
            });
        }
    });
    println!("measured: {signatures} signatures by {keys} keys, each equal to aws-lc's or verified by it");
}

/// Signs with a new key in batches of chance size, with all schemes in turn.
fn sign_with_one(bits: u32, signatures: usize, random: &mut Random) {
    let mut both = Both::open(&generate(bits).unwrap());
    let (mut left, mut schemes) = (signatures, Scheme::ALL.into_iter().cycle());
    while left > 0 {
        let batch = left.min(1 + random.below(40) as usize);
        both.check(schemes.next().unwrap(), batch, random);
        left -= batch;
    }
}

#[test]
fn keys_of_unusual_form_are_signed_as_aws_lc_signs_them() {
    say_what_is_tested();
    let (good, mut random) = (Numbers::good(), Random::new());
    let totient = lcm(&(&good.p - 1_u8), &(&good.q - 1_u8));
    let mut largest = (0..).map(|i| BigUint::from((1_u64 << 33) - 1 - 2 * i));
    let largest = largest.find(|e| inverse(e, &totient).is_some()).unwrap();
    for numbers in [
        Numbers::of(good.p.clone(), good.q.clone(), e()),
        Numbers::of(good.q.clone(), good.p.clone(), e()), // the smaller prime first, or the larger
        Numbers::of(good.p, good.q, largest),
    ] {
        let mut both = Both::open(&import(&numbers.encode(), None).unwrap());
        Scheme::ALL.into_iter().for_each(|scheme| both.check(scheme, LANES, &mut random));
    }
}

#[test]
fn a_key_that_is_restricted_to_pss_signs_and_verifies_nothing_else_in_lanes() {
    say_what_is_tested();
    let folder = tempfile::tempdir().unwrap();
    let arguments = "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -outform DER";
    let der = openssl(folder.path(), arguments);
    let key = import(&der, None).unwrap();
    let mut both = Both::open(&key);
    both.check(Scheme::Ps256, LANES, &mut Random::new());
    let digests = [digest(Scheme::Rs256.digest(), b"payload"); LANES];
    let mut out = SignatureBuf::with_capacity(256, LANES);
    let failed = both.lanes.sign(Scheme::Rs256, &digests, &mut out);
    assert!(matches!(failed, Err(SignerError::SchemeForbidden { .. })) && out.is_empty(), "{failed:?}");
    // PKCS#1 has no restriction, so that the same numbers make signatures that are right but for it.
    let free = import(PrivateKeyInfo::from_der(&der).unwrap().private_key, None).unwrap();
    assert!(key.public_key().has_the_numbers_of(free.public_key()));
    Engine::Lanes.signer(&free).unwrap().sign(Scheme::Rs256, &digests, &mut out).unwrap();
    let signed: Vec<_> = digests.iter().copied().zip(out.iter()).collect();
    let verifier = |key: &PrivateKey| Engine::Lanes.verifier(key.public_key()).unwrap();
    assert_eq!(verifier(&free).verify_all(Scheme::Rs256, &signed), [true; LANES]);
    assert_eq!(verifier(&key).verify_all(Scheme::Rs256, &signed), [false; LANES]);
}
