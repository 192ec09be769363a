//! Signatures of all engines against each other, against openssl, and against what must not verify.

use std::{collections::BTreeSet, fs, thread};

use num_bigint_dig::BigUint;
use rsa::{RsaPrivateKey, pkcs8::DecodePrivateKey, traits::PublicKeyParts};
use signwave::{
    domain::{Digest, DigestAlgorithm, Scheme, SignatureBuf},
    signer::{Engine, LANES, PrivateKey, Signer, SignerError, digest, generate, import},
};
use support::openssl::openssl;

// Keys: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048
// The one of 2049 bits, whose PSS encoding is a byte shorter than its modulus (RFC 8017, section 9.1.1), is
// the product of two of openssl prime -generate, since genpkey rounds odd sizes down.
const RSA2048: &[u8] = include_bytes!("../fixtures/signer/rsa2048.pem");
const OTHER2048: &[u8] = include_bytes!("../fixtures/signer/other2048.pem");
const MESSAGE: &[u8] = include_bytes!("../fixtures/signer/message.txt");

fn key(pem: &[u8]) -> PrivateKey {
    import(pem, None).expect("the fixture is a good key")
}

fn sign(signer: &mut dyn Signer, scheme: Scheme, digest: Digest) -> Vec<u8> {
    let mut signatures = SignatureBuf::with_capacity(signer.public_key().modulus_len(), 1);
    signer.sign(scheme, &[digest], &mut signatures).expect("it signs");
    signatures.iter().next().expect("there is a signature").to_vec()
}

/// Signatures of one digest: from `lanes` a whole group, because aws-lc would make a single one.
fn made(engine: Engine, signer: &mut dyn Signer, scheme: Scheme, digest: Digest) -> Vec<Vec<u8>> {
    let count = if engine == Engine::Lanes { LANES } else { 1 };
    let mut signatures = SignatureBuf::with_capacity(signer.public_key().modulus_len(), count);
    signer.sign(scheme, &vec![digest; count], &mut signatures).expect("it signs");
    let made: Vec<_> = signatures.iter().map(<[u8]>::to_vec).collect();
    assert_eq!(made.len(), count);
    made
}

#[test]
fn known_answers_of_openssl_verify_and_are_made_again() {
    // openssl dgst -sha256 -sign rsa2048.pem -out rs256.sig message.txt
    // openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest ..  for ps256.sig
    let known: [(Scheme, &[u8]); 6] = [
        (Scheme::Ps256, include_bytes!("../fixtures/signer/ps256.sig")),
        (Scheme::Ps384, include_bytes!("../fixtures/signer/ps384.sig")),
        (Scheme::Ps512, include_bytes!("../fixtures/signer/ps512.sig")),
        (Scheme::Rs256, include_bytes!("../fixtures/signer/rs256.sig")),
        (Scheme::Rs384, include_bytes!("../fixtures/signer/rs384.sig")),
        (Scheme::Rs512, include_bytes!("../fixtures/signer/rs512.sig")),
    ];
    let key = key(RSA2048);
    for (engine, (scheme, signature)) in Engine::ALL.into_iter().flat_map(|e| known.map(|k| (e, k))) {
        let digest = digest(scheme.digest(), MESSAGE);
        assert!(
            engine.verifier(key.public_key()).unwrap().verify(scheme, &digest, signature),
            "{engine} {scheme}"
        );
        if !scheme.is_pss() {
            let mut signer = engine.signer(&key).unwrap();
            for made in made(engine, &mut *signer, scheme, digest) {
                assert_eq!(made, signature, "{engine} {scheme}");
            }
        }
    }
}

#[test]
fn every_size_scheme_and_engine_verifies_everywhere() {
    thread::scope(|scope| {
        for pem in [
            RSA2048,
            include_bytes!("../fixtures/signer/rsa2049.pem"),
            include_bytes!("../fixtures/signer/rsa2560.pem"),
            include_bytes!("../fixtures/signer/rsa3072.pem"),
            include_bytes!("../fixtures/signer/rsa4096.pem"),
            include_bytes!("../fixtures/signer/rsa8192.pem"),
        ] {
            scope.spawn(|| verifies_everywhere(pem));
        }
    });
}

fn verifies_everywhere(pem: &[u8]) {
    let key = key(pem);
    let public_key = key.public_key();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("it can be written");
    write("public.pem", public_key.to_pem().as_bytes());
    write("message", MESSAGE);
    let verifiers = Engine::ALL.map(|engine| engine.verifier(public_key).expect("it is accepted"));
    for engine in Engine::ALL {
        let mut signer = engine.signer(&key).expect("it is accepted");
        for scheme in Scheme::ALL {
            let digest = digest(scheme.digest(), MESSAGE);
            for signature in made(engine, &mut *signer, scheme, digest) {
                assert_eq!(signature.len(), public_key.modulus_len());
                for verifier in &verifiers {
                    assert!(verifier.verify(scheme, &digest, &signature), "{engine} {scheme} {public_key:?}");
                }
                write("signature", &signature);
                openssl(folder.path(), &openssl_verify(scheme));
            }
        }
    }
}

fn openssl_verify(scheme: Scheme) -> String {
    let padding = if scheme.is_pss() {
        "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest"
    } else {
        "-sigopt rsa_padding_mode:pkcs1"
    };
    let bits = scheme.digest().output_len() * 8;
    format!("dgst -sha{bits} {padding} -verify public.pem -signature signature message")
}

#[test]
fn a_verifier_rejects_everything_but_the_signature() {
    let (key, other) = (key(RSA2048), key(OTHER2048));
    for (engine, scheme) in Engine::ALL.into_iter().flat_map(|e| Scheme::ALL.map(|s| (e, s))) {
        let right = digest(scheme.digest(), MESSAGE);
        let signature = sign(&mut *Engine::AwsLc.signer(&key).unwrap(), scheme, right);
        let verifier = engine.verifier(key.public_key()).unwrap();
        let accepts = |scheme, digest: &Digest, signature: &[u8]| verifier.verify(scheme, digest, signature);

        assert!(accepts(scheme, &right, &signature));
        assert!(!accepts(scheme, &digest(scheme.digest(), b"something else"), &signature));
        assert!(!engine.verifier(other.public_key()).unwrap().verify(scheme, &right, &signature));
        for bit in (0..signature.len() * 8).step_by(101) {
            let mut flipped = signature.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!accepts(scheme, &right, &flipped), "{engine} {scheme} bit {bit}");
        }
        for length in [0, 1, 32, signature.len() - 1] {
            assert!(!accepts(scheme, &right, &signature[..length]), "{engine} {scheme} length {length}");
            assert!(!accepts(scheme, &right, &signature[signature.len() - length..]));
        }
        assert!(!accepts(scheme, &right, &[&[0], signature.as_slice()].concat()), "{engine} {scheme}");
        assert!(!accepts(scheme, &right, &[&signature, [0].as_slice()].concat()), "{engine} {scheme}");
        assert!(!accepts(scheme, &right, &vec![0; signature.len()]));
        assert!(!accepts(scheme, &right, &vec![255; signature.len()]));
        for wrong in Scheme::ALL.into_iter().filter(|wrong| *wrong != scheme) {
            assert!(
                !accepts(wrong, &digest(wrong.digest(), MESSAGE), &signature),
                "{engine} {scheme} as {wrong}"
            );
            if wrong.digest() != scheme.digest() {
                assert!(!accepts(scheme, &digest(wrong.digest(), MESSAGE), &signature));
                assert!(!accepts(wrong, &right, &signature), "{engine} {scheme} as {wrong}");
            }
        }
    }
}

#[test]
fn a_signature_plus_the_modulus_is_not_a_second_signature() {
    let key = key(RSA2048);
    let modulus = RsaPrivateKey::from_pkcs8_pem(std::str::from_utf8(RSA2048).unwrap()).unwrap().n().clone();
    for scheme in Scheme::ALL {
        // It needs a signature small enough for the sum to have the same length.
        let (digest, sum) = (0..10_000_u32)
            .map(|i| digest(scheme.digest(), &i.to_be_bytes()))
            .find_map(|digest| {
                let signature = sign(&mut *Engine::AwsLc.signer(&key).unwrap(), scheme, digest);
                let sum = (BigUint::from_bytes_be(&signature) + &modulus).to_bytes_be();
                (sum.len() == signature.len()).then_some((digest, sum))
            })
            .unwrap();
        for engine in Engine::ALL {
            let verifier = engine.verifier(key.public_key()).unwrap();
            assert!(!verifier.verify(scheme, &digest, &sum), "{engine} {scheme}");
        }
    }
}

#[test]
fn only_salts_of_the_digests_length_verify() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key.pem"), RSA2048).unwrap();
    fs::write(folder.path().join("message"), MESSAGE).unwrap();
    let key = key(RSA2048);
    let digest = digest(DigestAlgorithm::Sha256, MESSAGE);
    for (salt, expected) in
        [("0", false), ("20", false), ("31", false), ("32", true), ("33", false), ("max", false)]
    {
        let pss = format!("-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:{salt}");
        let signature = openssl(folder.path(), &format!("dgst -sha256 {pss} -sign key.pem message"));
        for engine in Engine::ALL {
            let verified =
                engine.verifier(key.public_key()).unwrap().verify(Scheme::Ps256, &digest, &signature);
            assert_eq!(verified, expected, "{engine}, salt {salt}");
        }
    }
}

#[test]
fn pss_is_salted_anew_and_pkcs1_is_not() {
    let key = key(RSA2048);
    for (engine, scheme) in Engine::ALL.into_iter().flat_map(|e| Scheme::ALL.map(|s| (e, s))) {
        let mut signer = engine.signer(&key).unwrap();
        let digests = [digest(scheme.digest(), MESSAGE); LANES];
        let mut signatures = SignatureBuf::with_capacity(256, LANES);
        signer.sign(scheme, &digests, &mut signatures).unwrap();
        let different: BTreeSet<_> = signatures.iter().collect();
        assert_eq!(different.len(), if scheme.is_pss() { LANES } else { 1 }, "{engine} {scheme}");
    }
}

#[test]
fn a_failure_leaves_the_signatures_made_before_it() {
    let key = key(RSA2048);
    let good = digest(DigestAlgorithm::Sha256, MESSAGE);
    let bad = digest(DigestAlgorithm::Sha384, MESSAGE);
    for engine in Engine::ALL {
        let mut signer = engine.signer(&key).unwrap();
        let mut signatures = SignatureBuf::with_capacity(256, 4);
        let failed = signer.sign(Scheme::Ps256, &[good, good, bad, good], &mut signatures);
        assert_eq!(failed, Err(SignerError::WrongDigest(Scheme::Ps256)));
        assert_eq!(signatures.len(), 2);
        let verifier = engine.verifier(key.public_key()).unwrap();
        assert!(signatures.iter().all(|signature| verifier.verify(Scheme::Ps256, &good, signature)));
        let mut signatures = SignatureBuf::with_capacity(256, 17);
        let digests = [[good; 14].as_slice(), &[bad], &[good; 2]].concat();
        let failed = signer.sign(Scheme::Ps256, &digests, &mut signatures);
        assert_eq!((failed, signatures.len()), (Err(SignerError::WrongDigest(Scheme::Ps256)), 14));

        for width in [0, 255, 257, 512] {
            for count in [1, LANES] {
                let mut narrow = SignatureBuf::with_capacity(width, count);
                let failed = signer.sign(Scheme::Ps256, &vec![good; count], &mut narrow);
                assert_eq!(failed, Err(SignerError::WrongWidth(key.public_key().fingerprint())));
                assert!(narrow.is_empty());
            }
        }
    }
}

#[test]
fn generated_keys_sign_and_other_sizes_are_named() {
    for bits in [2048, 3072] {
        let key = generate(bits).unwrap();
        assert_eq!(key.public_key().bits(), bits);
        let digest = digest(DigestAlgorithm::Sha256, MESSAGE);
        for engine in Engine::ALL {
            let signatures = made(engine, &mut *engine.signer(&key).unwrap(), Scheme::Ps256, digest);
            let signed: Vec<_> = signatures.iter().map(|made| (digest, made.as_slice())).collect();
            for verifier in Engine::ALL.map(|engine| engine.verifier(key.public_key()).unwrap()) {
                assert_eq!(verifier.verify_all(Scheme::Ps256, &signed), vec![true; signed.len()]);
            }
        }
    }
    for bits in [0, 1024, 2047, 2049, 16384] {
        let error = generate(bits).unwrap_err();
        assert_eq!(error, SignerError::GenerateSize { bits });
        assert!(error.to_string().contains("2048, 3072, 4096 or 8192"));
    }
}
