//! The certificates of a key: which chains are taken, by every kind of issuer, and which are refused.

use std::{fs, path::Path};

use signwave::signer::{CertificateChain, ChainFlaw, PublicKey, generate};
use support::certificates::{authority, certify, chain};
use tempfile::TempDir;

/// A folder with the public half of a key, a root, an issuer below it, and the key's certificate.
fn folder(issuer: &str) -> (TempDir, PublicKey) {
    let folder = tempfile::tempdir().unwrap();
    let key = generate(2048).unwrap().public_key().clone();
    fs::write(folder.path().join("public"), key.to_pem()).unwrap();
    authority(folder.path(), "root", "rsa:2048", None);
    authority(folder.path(), "issuer", issuer, Some("root"));
    certify(folder.path(), "public", "leaf", "issuer", 10);
    (folder, key)
}

fn read(folder: &Path, names: &[&str], key: &PublicKey) -> Result<CertificateChain, ChainFlaw> {
    CertificateChain::from_pem(chain(folder, "chain", names).as_bytes(), key)
}

const RSA: &str = "rsa:2048";

#[test]
fn a_chain_is_read_stored_and_read_back_whatever_kind_its_issuers_are() {
    for kind in [
        RSA,
        "rsa:3072 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1",
        "ec -pkeyopt ec_paramgen_curve:P-256",
        "ec -pkeyopt ec_paramgen_curve:P-384",
        "ed25519",
    ] {
        let (folder, key) = folder(kind);
        for names in [&["leaf"][..], &["leaf", "issuer"], &["leaf", "issuer", "root"]] {
            let chain = read(folder.path(), names, &key).unwrap_or_else(|flaw| panic!("{kind}: {flaw}"));
            assert_eq!(chain.certificates().len(), names.len());
            assert_eq!(CertificateChain::from_der(&chain.to_der(), &key), Ok(chain.clone()));
            assert_eq!(CertificateChain::from_pem(chain.to_pem().as_bytes(), &key), Ok(chain.clone()));
            assert_eq!((chain.subject(), chain.issuer()), ("CN=leaf".to_owned(), "CN=issuer".to_owned()));
            assert!(chain.not_before() < chain.not_after());
            assert_eq!(chain.invalid_at(chain.not_after()), None);
            assert_eq!(chain.invalid_at("1990-01-01T00:00:00Z".parse().unwrap()), Some(1));
        }
    }
}

#[test]
fn what_is_not_a_chain_of_the_key_is_refused() {
    let (folder, key) = folder(RSA);
    let folder = folder.path();
    let refused = |names: &[&str]| read(folder, names, &key).expect_err("it is no chain");
    assert!(matches!(refused(&["issuer", "root"]), ChainFlaw::OtherKey(_)));
    assert_eq!(refused(&["leaf", "root"]), ChainFlaw::OtherIssuer(1));
    assert_eq!(refused(&["leaf", "root", "issuer"]), ChainFlaw::OtherIssuer(1));
    assert_eq!(refused(&["leaf", "issuer", "leaf"]), ChainFlaw::OtherIssuer(2));
    assert_eq!(refused(&[]), ChainFlaw::Empty);

    // Another authority with the same name.
    fs::copy(folder.join("issuer.pem"), folder.join("first.pem")).unwrap();
    authority(folder, "issuer", RSA, Some("root"));
    assert_eq!(refused(&["leaf", "issuer", "root"]), ChainFlaw::Signature(1));
    authority(folder, "issuer", "ed25519", Some("root"));
    assert_eq!(refused(&["leaf", "issuer", "root"]), ChainFlaw::Algorithm(1));
    assert!(read(folder, &["leaf", "first", "root"], &key).is_ok());

    // No authority that is trusted signs with SHA-1.
    authority(folder, "old", "rsa:2048 -sha1", Some("root"));
    certify(folder, "public", "under-old", "old", 10);
    assert_eq!(refused(&["under-old", "old", "root"]), ChainFlaw::Algorithm(2));
}

#[test]
fn texts_that_are_too_long_or_hold_something_else_are_refused() {
    let (folder, key) = folder(RSA);
    let folder = folder.path();
    let leaf = chain(folder, "chain", &["leaf"]);
    let refused = |text: &str| CertificateChain::from_pem(text.as_bytes(), &key).expect_err(text);
    assert_eq!(refused(&leaf.repeat(11)), ChainFlaw::TooMany);
    assert_eq!(refused(&format!("{leaf}{}", " ".repeat(CertificateChain::BYTES))), ChainFlaw::TooLong);
    let private = fs::read_to_string(folder.join("issuer.key")).unwrap();
    assert_eq!(refused(&format!("{leaf}{private}")), ChainFlaw::Block("PRIVATE KEY".to_owned()));
    assert!(matches!(refused(&leaf.replace("-----END", "----END")), ChainFlaw::Pem(_)));
    assert_eq!(refused("no certificate"), ChainFlaw::Empty);
    let der = CertificateChain::from_pem(leaf.as_bytes(), &key).unwrap().to_der();
    let stored = |der: &[u8]| CertificateChain::from_der(der, &key).expect_err("it is no chain");
    assert_eq!(stored(&[]), ChainFlaw::Empty);
    for length in 1..der.len() {
        assert_eq!(stored(&der[..length]), ChainFlaw::Malformed(1), "{length}");
    }
    assert_eq!(stored(&[&*der, b"x"].concat()), ChainFlaw::Malformed(2));
    assert_eq!(stored(&vec![0; CertificateChain::BYTES + 1]), ChainFlaw::TooLong);
}

/// Each bit of what is signed counts, and each bit of the signature.
#[test]
fn a_certificate_with_one_wrong_bit_is_refused() {
    let (folder, key) = folder(RSA);
    let chain = read(folder.path(), &["leaf", "issuer"], &key).unwrap();
    let (der, length) = (chain.to_der(), chain.certificates().next().unwrap().len());
    for at in (0..length).step_by(7) {
        let mut wrong = der.clone();
        wrong[at] ^= 1;
        assert!(CertificateChain::from_der(&wrong, &key).is_err(), "byte {at} of {length}");
    }
}
