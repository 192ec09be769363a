//! Files that are not written as keys are, or hold something else.

use num_bigint_dig::BigUint;
use pkcs8::{PrivateKeyInfo, der::Decode, pkcs5::pbes2};
use signwave::signer::{KeyFlaw, SignerError, import};
use support::{numbers::Numbers, openssl::openssl};

use super::Case;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;

/// 1.2.840.113549.1.1.1, 1.2.840.113549.1.1.10, 1.2.840.10045.2.1 and 1.2.3.4, each with its tag.
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const RSA_PSS: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
const EC: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
const STRANGE: &[u8] = b"\x06\x03\x2a\x03\x04";
const NULL: &[u8] = b"\x05\x00";

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let length = match length {
        0..0x80 => vec![length as u8],
        0x80..0x100 => vec![0x81, length as u8],
        _ => vec![0x82, (length >> 8) as u8, length as u8],
    };
    [&[tag], &*length, content].concat()
}

fn integer(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let sign: &[u8] = if bytes[0] < 0x80 { &[] } else { &[0] };
    der(INTEGER, &[sign, &bytes].concat())
}

/// The version and the eight numbers of the good key, each in DER.
fn parts() -> Vec<Vec<u8>> {
    let Numbers { n, e, d, p, q, dp, dq, qinv } = Numbers::good();
    [&BigUint::default(), &n, &e, &d, &p, &q, &dp, &dq, &qinv].map(integer).into()
}

/// The good key in PKCS#1 with its parts changed.
fn changed(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let mut parts = parts();
    change(&mut parts);
    der(SEQUENCE, &parts.concat())
}

fn good() -> Vec<u8> {
    let good = changed(|_| ());
    assert_eq!(good, Numbers::good().encode());
    good
}

fn not_a_key(name: &str, file: Vec<u8>, reason: &'static str) -> Case {
    Case::new(name, file, SignerError::NotPrivateKey(reason))
}

const EMPTY: &str = "it is empty";
const ENDS: &str = "it ends too early";
const GOES_ON: &str = "it has trailing data after its end";
const HEADLESS: &str = "its first line is missing or damaged: it must be -----BEGIN PRIVATE KEY-----";
const NEITHER: &str = "it is neither PEM nor DER of a key";
const SOMETHING_ELSE: &str = "it is DER, but not of a key";

/// `RSAPrivateKey` (RFC 8017, appendix A.1.2) with something wrong in its encoding.
pub fn pkcs1() -> Vec<Case> {
    let good = good();
    let (end, header) = (good.len(), 4);
    let mut cases = Vec::new();
    for (name, file, reason) in [
        ("empty", vec![], EMPTY),
        ("one byte", good[..1].to_vec(), ENDS),
        ("only the header", good[..header].to_vec(), ENDS),
        ("half", good[..end / 2].to_vec(), ENDS),
        ("the last byte is missing", good[..end - 1].to_vec(), ENDS),
        ("the first byte is missing", good[1..].to_vec(), NEITHER),
        ("a byte too many", [&*good, &[0]].concat(), GOES_ON),
        ("twice", good.repeat(2), GOES_ON),
        ("without its header", good[header..].to_vec(), NEITHER),
        ("length 1 too large", [&[SEQUENCE, 0x82, good[2], good[3] + 1], &good[header..]].concat(), ENDS),
        ("length 1 too small", [&[SEQUENCE, 0x82, good[2], good[3] - 1], &good[header..]].concat(), GOES_ON),
        ("length 4 GiB", [&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff], &good[header..]].concat(), NEITHER),
        ("a set", [&[SET], &good[1..]].concat(), NEITHER),
        ("an integer", parts().remove(1), NEITHER),
        ("an empty sequence", der(SEQUENCE, &[]), SOMETHING_ELSE),
        ("only the version", der(SEQUENCE, &parts()[0]), SOMETHING_ELSE),
        ("sequences in sequences", (0..1000).fold(vec![], |inner, _| der(SEQUENCE, &inner)), SOMETHING_ELSE),
    ] {
        cases.push(not_a_key(name, file, reason));
    }
    for (name, file) in [
        ("length in three bytes", [&[SEQUENCE, 0x83, 0], &good[2..]].concat()),
        ("indefinite length", [&[SEQUENCE, 0x80], &good[header..], &[0, 0]].concat()),
    ] {
        let convert = "openssl rsa -in FILE -out converted.pem";
        cases.push(Case::new(name, file, SignerError::Foreign { form: "BER where DER is needed", convert }));
    }
    let number = |number: u32| integer(&number.into());
    let prefixed = |part: &[u8], zeros: &[u8]| {
        let header = if part[1] == 0x82 { 4 } else { 2 };
        der(INTEGER, &[zeros, &part[header..]].concat())
    };
    type Change<'a> = &'a dyn Fn(&mut Vec<Vec<u8>>);
    let changes: [(&str, Change<'_>); 17] = [
        ("version 1 without more primes", &|parts| parts[0] = number(1)),
        ("version 2", &|parts| parts[0] = number(2)),
        ("version 65536", &|parts| parts[0] = number(65536)),
        ("version 0 with more primes", &|parts| parts.push(more_primes())),
        ("no public exponent", &|parts| _ = parts.remove(2)),
        ("no private exponent", &|parts| _ = parts.remove(3)),
        ("no qInv", &|parts| _ = parts.pop()),
        ("only modulus and exponent", &|parts| parts.truncate(3)),
        ("a number too many", &|parts| parts.push(number(7))),
        ("negative modulus", &|parts| parts[1] = der(INTEGER, &Numbers::good().n.to_bytes_be())),
        ("negative prime", &|parts| parts[4] = der(INTEGER, &Numbers::good().p.to_bytes_be())),
        ("a zero before the modulus", &|parts| parts[1] = prefixed(&parts[1], &[0])),
        ("a zero before the exponent", &|parts| parts[2] = prefixed(&parts[2], &[0])),
        ("a number without bytes", &|parts| parts[8] = der(INTEGER, &[])),
        ("a number that is longer than the key", &|parts| parts[8][2] += 1),
        ("a number that is an octet string", &|parts| parts[3][0] = OCTET_STRING),
        ("a number that is a null", &|parts| parts[3] = NULL.to_vec()),
    ];
    for (name, change) in changes {
        cases.push(not_a_key(name, changed(change), "its RSAPrivateKey does not parse"));
    }
    let three = changed(|parts| {
        parts[0] = number(1);
        parts.push(more_primes());
    });
    cases.push(Case::new("three primes", three, KeyFlaw::MultiPrime));
    let swapped = changed(|parts| parts.swap(1, 2));
    cases.push(Case::new("modulus and exponent swapped", swapped, KeyFlaw::Size { bits: 17 }));
    cases
}

/// `OtherPrimeInfos` with one more prime, which is 11.
fn more_primes() -> Vec<u8> {
    let one = [11_u32, 3, 7].map(|number| integer(&number.into())).concat();
    der(SEQUENCE, &der(SEQUENCE, &one))
}

/// `PrivateKeyInfo` (RFC 5208, section 5) around a key.
fn wrapped(version: u8, algorithm: &[&[u8]], tag: u8, key: &[u8]) -> Vec<u8> {
    let algorithm = der(SEQUENCE, &algorithm.concat());
    der(SEQUENCE, &[der(INTEGER, &[version]), algorithm, der(tag, key)].concat())
}

/// PKCS#8 with something wrong in its encoding.
pub fn pkcs8() -> Vec<Case> {
    let good = good();
    let whole = wrapped(0, &[RSA, NULL], OCTET_STRING, &good);
    import(&whole, None).unwrap();
    let of = |algorithm: &[&[u8]]| wrapped(0, algorithm, OCTET_STRING, &good);
    let around = |key: &[u8]| wrapped(0, &[RSA, NULL], OCTET_STRING, key);
    let mut cases = vec![
        Case::new("PKCS#8 of an EC key", of(&[EC, STRANGE]), SignerError::NotRsa("EC")),
        Case::new(
            "PKCS#8 of RSA-PSS with strange parameters",
            of(&[RSA_PSS, NULL]),
            SignerError::NotPrivateKey("its RSASSA-PSS parameters do not parse"),
        ),
        Case::new("PKCS#8 of something strange", of(&[STRANGE]), SignerError::NotRsa("not RSA")),
    ];
    import(&of(&[RSA]), None).unwrap();
    let strange = of(&[RSA, STRANGE]);
    let reason = "its algorithm's parameters are not NULL";
    cases.push(not_a_key("PKCS#8 with an object identifier as parameters", strange, reason));
    for (name, file) in [
        ("PKCS#8 without an algorithm", wrapped(0, &[], OCTET_STRING, &good)),
        ("PKCS#8 with two parameters", of(&[RSA, NULL, NULL])),
        ("PKCS#8 of version 1 without a public key", wrapped(1, &[RSA, NULL], OCTET_STRING, &good)),
        ("PKCS#8 of version 2", wrapped(2, &[RSA, NULL], OCTET_STRING, &good)),
        ("PKCS#8 with a bit string", wrapped(0, &[RSA, NULL], BIT_STRING, &good)),
        ("PKCS#8 without its key", der(SEQUENCE, &whole[4..][..18])),
        ("PKCS#8 that goes on inside", der(SEQUENCE, &[&whole[4..], NULL].concat())),
    ] {
        cases.push(not_a_key(name, file, "its PKCS#8 does not parse"));
    }
    for (name, file) in [
        ("PKCS#8 around nothing", around(&[])),
        ("PKCS#8 around a key without its last byte", around(&good[..good.len() - 1])),
        ("PKCS#8 around a key with a byte too many", around(&[&*good, &[0]].concat())),
        ("PKCS#8 in PKCS#8", around(&whole)),
        ("PKCS#8 around a public key", around(&public_key())),
        ("PKCS#8 around garbage", around(&[0xa5; 1200])),
    ] {
        cases.push(not_a_key(name, file, "its RSAPrivateKey does not parse"));
    }
    for (name, file, reason) in [
        ("PKCS#8 without its last byte", whole[..whole.len() - 1].to_vec(), ENDS),
        ("PKCS#8 with a byte too many", [&*whole, &[0]].concat(), GOES_ON),
    ] {
        cases.push(not_a_key(name, file, reason));
    }
    cases
}

/// Keys with a flaw as the openssl command writes them.
pub fn by_openssl() -> Vec<Case> {
    let folder = tempfile::tempdir().unwrap();
    let made =
        |command: &str, flaw| Case::new(format!("openssl {command}"), openssl(folder.path(), command), flaw);
    let small = KeyFlaw::SmallExponent { exponent: 3 };
    vec![
        made("genrsa 1024", KeyFlaw::Size { bits: 1024 }),
        made("genrsa 2040", KeyFlaw::Size { bits: 2040 }),
        made("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3", small),
        made(
            "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_primes:3",
            KeyFlaw::MultiPrime,
        ),
        made("genrsa -traditional -primes 3 2048", KeyFlaw::MultiPrime),
    ]
}

/// Encrypted keys, given without their passphrase.
pub fn encrypted() -> Vec<Case> {
    let plain = wrapped(0, &[RSA, NULL], OCTET_STRING, &good());
    let parameters = pbes2::Parameters::pbkdf2_sha256_aes256cbc(1, &[1; 16], &[2; 16]).unwrap();
    let info = PrivateKeyInfo::from_der(&plain).unwrap();
    let encrypted = info.encrypt_with_params(parameters, "sesame").unwrap().as_bytes().to_vec();
    import(&encrypted, Some(b"sesame")).unwrap();
    vec![
        Case::new("encrypted", encrypted.clone(), SignerError::PassphraseNeeded),
        Case::new(
            "encrypted, in PEM",
            pem("ENCRYPTED PRIVATE KEY", &encrypted),
            SignerError::PassphraseNeeded,
        ),
        not_a_key("encrypted, without its last byte", encrypted[..encrypted.len() - 1].to_vec(), ENDS),
        Case::new(
            "encrypted in the traditional way",
            traditional(&good()),
            SignerError::TraditionalEncryption,
        ),
    ]
}

fn traditional(der: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(pem("RSA PRIVATE KEY", der)).unwrap();
    let headers =
        "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n";
    text.replacen("KEY-----\n", headers, 1).into_bytes()
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let base64 = data_encoding::BASE64.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
}

fn public_key() -> Vec<u8> {
    import(&good(), None).unwrap().public_key().spki().to_vec()
}

const CSPLIT: &str = "csplit -z -f key- -b %02d.pem FILE '/-----BEGIN .*PRIVATE KEY/' '{*}'";

/// PEM with something wrong, or of something else; and files that are nothing at all.
pub fn pem_and_others() -> Vec<Case> {
    let good = good();
    let text = String::from_utf8(pem("RSA PRIVATE KEY", &good)).unwrap();
    import(text.as_bytes(), None).unwrap();
    let edited = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    let mut cases = vec![
        Case::new(
            "PEM of a public key",
            pem("PUBLIC KEY", &public_key()),
            SignerError::OnlyPublic("public key"),
        ),
        Case::new("a public key", public_key(), SignerError::OnlyPublic("public key")),
        Case::new(
            "a public key called private",
            pem("PRIVATE KEY", &public_key()),
            SignerError::OnlyPublic("public key"),
        ),
        Case::new(
            "a key called a certificate",
            pem("CERTIFICATE", &good),
            SignerError::OnlyPublic("certificate"),
        ),
        Case::new("a key called EC", pem("EC PRIVATE KEY", &good), SignerError::NotRsa("EC")),
        Case::new(
            "more than a key can be",
            vec![b'\n'; (1 << 20) + 1],
            SignerError::InputTooLarge { limit: 1 << 20 },
        ),
    ];
    let two = SignerError::SeveralKeys { count: 2, split: Some(CSPLIT) };
    cases.push(Case::new("PEM of two keys", text.repeat(2).into_bytes(), two));
    for (name, file, reason) in [
        ("PEM of a strange label", pem("SECRET KEY", &good), "its PEM label is not that of a key"),
        ("PEM without its end", text.as_bytes()[..text.len() / 2].to_vec(), "its PEM has no end line"),
        ("PEM with another end", edited("END RSA", "END DSA"), "its PEM end line does not match the first"),
        ("PEM with a character that is not base64", edited("MII", "M!I"), "its PEM is not base64"),
        ("PEM with a character missing", edited("MII", "MI"), "its PEM is not base64"),
        ("PEM with bytes that are no text", edited("MII", "M\u{e9}I"), "its PEM is not base64"),
        ("PEM in PEM", edited("-----END", "-----BEGIN A-----\n-----END"), "its PEM has no end line"),
        (
            "PEM with a label of two lines",
            edited("RSA PRIVATE", "RSA\nPRIVATE"),
            "its PEM header is not complete",
        ),
        ("PEM of half a key", pem("RSA PRIVATE KEY", &good[..good.len() / 2]), ENDS),
        ("PEM of nothing", pem("RSA PRIVATE KEY", &[]), ENDS),
        ("the first words of PEM", b"-----BEGIN ".to_vec(), "its PEM header is not complete"),
        ("PEM without its first line", edited("-----BEGIN RSA PRIVATE KEY-----\n", ""), HEADLESS),
        ("PEM with other dashes", edited("-----BEGIN", "\u{2014}-BEGIN"), HEADLESS),
        ("zeros", vec![0; 1024], NEITHER),
        ("ones", vec![0xff; 1024], NEITHER),
        ("text", b"once upon a time".to_vec(), NEITHER),
    ] {
        cases.push(not_a_key(name, file, reason));
    }
    cases
}
