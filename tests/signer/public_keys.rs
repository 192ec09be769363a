//! Public keys: as openssl writes and reads them, in one form only.

use std::fs;

use num_bigint_dig::BigUint;
use pkcs8::{
    SubjectPublicKeyInfoRef,
    der::{Encode, asn1::BitStringRef},
};
use rsa::pkcs1::{self, UintRef};
use signwave::signer::{KeyFlaw, PublicKey, SignerError};
use support::openssl::openssl;

const KEYS: [(&[u8], u32); 6] = [
    (include_bytes!("../fixtures/signer/rsa2048.pem"), 2048),
    (include_bytes!("../fixtures/signer/rsa2049.pem"), 2049),
    (include_bytes!("../fixtures/signer/rsa2560.pem"), 2560),
    (include_bytes!("../fixtures/signer/rsa3072.pem"), 3072),
    (include_bytes!("../fixtures/signer/rsa4096.pem"), 4096),
    (include_bytes!("../fixtures/signer/rsa8192.pem"), 8192),
];

/// DER SubjectPublicKeyInfo of a private key, by openssl.
fn spki(pem: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("key.pem"), pem).expect("it can be written");
    openssl(folder.path(), "pkey -in key.pem -pubout -outform DER")
}

#[test]
fn a_public_key_is_what_openssl_says_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (pem, bits) in KEYS {
        let spki = spki(pem);
        let key = PublicKey::from_spki(&spki).unwrap();
        assert_eq!(
            (key.spki(), key.bits(), key.modulus_len()),
            (spki.as_slice(), bits, bits.div_ceil(8) as usize)
        );

        fs::write(folder.path().join("spki"), &spki).unwrap();
        let fingerprint = openssl(folder.path(), "dgst -sha256 -r spki");
        assert_eq!(key.fingerprint().to_string().as_bytes(), &fingerprint[..64]);
        let pem = openssl(folder.path(), "pkey -pubin -inform DER -in spki");
        assert_eq!(key.to_pem().as_bytes(), pem);
    }
}

#[test]
fn bytes_that_are_not_one_canonical_rsa_key_are_refused() {
    let good = spki(KEYS[0].0);
    let malformed = |der: &[u8]| {
        let error = PublicKey::from_spki(der).unwrap_err();
        assert!(matches!(error, SignerError::MalformedPublicKey(_)), "{error}");
    };
    for length in 0..good.len() {
        malformed(&good[..length]);
    }
    malformed(&[&good, [0].as_slice()].concat());
    // The outer length in three bytes instead of two: BER, but not DER.
    malformed(&[&[0x30, 0x83, 0x00], &good[2..]].concat());
    // A longer exponent is one thing; a zero before the exponent, or bytes after it, are another.
    let with_exponent = |exponent: [u8; 6]| {
        assert_eq!((good[1], good[20], good[25]), (0x82, 0x82, 0x82), "lengths of two bytes");
        let mut longer = [&good[..good.len() - 5], &exponent].concat();
        for length in [3, 22, 27] {
            longer[length] += 1;
        }
        longer
    };
    PublicKey::from_spki(&with_exponent([2, 4, 1, 0, 0, 1])).unwrap();
    malformed(&with_exponent([2, 4, 0, 1, 0, 1]));
    malformed(&with_exponent([2, 3, 1, 0, 1, 0]));

    let folder = tempfile::tempdir().unwrap();
    let other_hash =
        "-algorithm RSA-PSS -pkeyopt rsa_pss_keygen_md:sha1 -pkeyopt rsa_pss_keygen_mgf1_md:sha1";
    for other in ["-algorithm ED25519", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", other_hash] {
        openssl(folder.path(), &format!("genpkey {other} -out key.pem"));
        malformed(&openssl(folder.path(), "pkey -in key.pem -pubout -outform DER"));
    }
    // PKCS#1, which is not SubjectPublicKeyInfo.
    fs::write(folder.path().join("key.pem"), KEYS[0].0).unwrap();
    malformed(&openssl(folder.path(), "rsa -in key.pem -RSAPublicKey_out -outform DER"));
    // A NULL is missing from the algorithm.
    let mut algorithm = pkcs1::ALGORITHM_ID;
    algorithm.parameters = None;
    let numbers = encode(&((BigUint::from(1_u8) << 2047_usize) + 1_u8), 65537);
    let numbers = BitStringRef::from_bytes(&numbers).unwrap();
    malformed(&SubjectPublicKeyInfoRef { algorithm, subject_public_key: numbers }.to_der().unwrap());
}

#[test]
fn sizes_and_exponents_are_bounded() {
    let of_bits = |bits: usize| (BigUint::from(1_u8) << (bits - 1)) + 1_u8;
    let read = |n: &BigUint, e| {
        let numbers = encode(n, e);
        let subject_public_key = BitStringRef::from_bytes(&numbers).unwrap();
        let spki = SubjectPublicKeyInfoRef { algorithm: pkcs1::ALGORITHM_ID, subject_public_key };
        PublicKey::from_spki(&spki.to_der().unwrap()).map(|key| key.bits())
    };
    for bits in [2048, 2055, 8191, 8192] {
        assert_eq!(read(&of_bits(bits), 65537), Ok(bits as u32));
    }
    assert_eq!(read(&of_bits(2048), (1 << 33) - 1), Ok(2048));
    for (n, e, flaw) in [
        (of_bits(2047), 65537, KeyFlaw::Size { bits: 2047 }),
        (of_bits(8193), 65537, KeyFlaw::Size { bits: 8193 }),
        (of_bits(2048) + 1_u8, 65537, KeyFlaw::EvenModulus),
        (of_bits(2048), 65538, KeyFlaw::EvenExponent),
        (of_bits(2048), 3, KeyFlaw::SmallExponent { exponent: 3 }),
        (of_bits(2048), 65535, KeyFlaw::SmallExponent { exponent: 65535 }),
        (of_bits(2048), (1 << 33) + 1, KeyFlaw::LargeExponent { bits: 34 }),
    ] {
        assert_eq!(read(&n, e), Err(SignerError::Refused(flaw)));
    }
}

fn encode(n: &BigUint, e: u64) -> Vec<u8> {
    let (n, e) = (n.to_bytes_be(), BigUint::from(e).to_bytes_be());
    let key = pkcs1::RsaPublicKey {
        modulus: UintRef::new(&n).expect("a number"),
        public_exponent: UintRef::new(&e).expect("a number"),
    };
    key.to_der().expect("it can be encoded")
}
