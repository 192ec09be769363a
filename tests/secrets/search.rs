//! Looking for secrets: raw, reversed, in hex, base64 and decimal, and as Rust prints bytes.

use std::collections::HashSet;

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use rsa::{BigUint, RsaPrivateKey, pkcs8::DecodePrivateKey, traits::PrivateKeyParts};

/// Things that must not be found.
#[derive(Default)]
pub struct Secrets {
    needles: Vec<Needle>,
    /// Which of all three bytes some needle begins with.
    begins: HashSet<[u8; 3]>,
    /// The same for the first two, faster to look up.
    maybe: Vec<bool>,
}

struct Needle {
    bytes: Vec<u8>,
    what: String,
}

impl Secrets {
    /// A password, a passphrase, a key in base64: what is written as it is, also half of it.
    pub fn text(mut self, name: &str, text: &str) -> Self {
        assert!(text.len() >= 16, "shorter ones are found by chance");
        for piece in pieces(text.as_bytes(), 12) {
            self.encodings(name, piece);
        }
        self
    }

    /// Bytes, such as the master key's.
    pub fn bytes(mut self, name: &str, bytes: &[u8]) -> Self {
        for piece in pieces(bytes, 16) {
            self.encodings(name, piece);
        }
        self
    }

    /// The private numbers of a key: its exponents and its primes.
    pub fn key(mut self, name: &str, pem: &str) -> Self {
        let key = RsaPrivateKey::from_pkcs8_pem(pem).unwrap();
        let (dp, dq) = (key.dp().unwrap(), key.dq().unwrap());
        let numbers =
            [("d", key.d()), ("p", &key.primes()[0]), ("q", &key.primes()[1]), ("dP", dp), ("dQ", dq)];
        for (number, value) in numbers {
            self = self.bytes(&format!("{number} of {name}"), &value.to_bytes_be());
            self.number(&format!("{number} of {name}"), value);
        }
        self
    }

    fn number(&mut self, name: &str, number: &BigUint) {
        let decimal = number.to_string();
        self.add(name, "decimal", &decimal.as_bytes()[..40]);
        // As a library prints the words of a number.
        let bytes = number.to_bytes_le();
        let words: Vec<_> =
            bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        self.add(
            name,
            "words",
            words[..3].iter().map(u64::to_string).collect::<Vec<_>>().join(", ").as_bytes(),
        );
    }

    fn encodings(&mut self, name: &str, bytes: &[u8]) {
        let list = |separator: &str| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(separator);
        let reversed: Vec<_> = bytes.iter().rev().copied().collect();
        self.add(name, "raw", bytes);
        self.add(name, "reversed", &reversed);
        self.add(name, "hex", HEXLOWER.encode(bytes).as_bytes());
        self.add(name, "upper-case hex", HEXUPPER.encode(bytes).as_bytes());
        self.add(name, "reversed hex", HEXLOWER.encode(&reversed).as_bytes());
        let colons: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.add(name, "hex with colons", colons.join(":").as_bytes());
        self.add(name, "list", list(", ").as_bytes());
        self.add(name, "list", list(",").as_bytes());
        self.add(name, "escaped", bytes.escape_ascii().to_string().as_bytes());
        for base64 in [BASE64, BASE64URL] {
            for before in 0..3 {
                let text = base64.encode(&[&[0; 3][..before], bytes].concat());
                // Only the characters that hold nothing but bits of the secret.
                let (from, to) = ((8 * before).div_ceil(6), 8 * (before + bytes.len()) / 6);
                self.add(name, "base64", &text.as_bytes()[from..to]);
            }
        }
    }

    fn add(&mut self, name: &str, encoding: &str, bytes: &[u8]) {
        self.maybe.resize(1 << 16, false);
        self.maybe[usize::from(bytes[0]) << 8 | usize::from(bytes[1])] = true;
        self.begins.insert([bytes[0], bytes[1], bytes[2]]);
        self.needles.push(Needle { bytes: bytes.to_vec(), what: format!("{name} ({encoding})") });
    }

    /// The first secret in `place`, and what is around it.
    pub fn find(&self, place: &[u8]) -> Option<String> {
        for (at, three) in place.windows(3).enumerate() {
            if !self.maybe[usize::from(three[0]) << 8 | usize::from(three[1])] || !self.begins.contains(three)
            {
                continue;
            }
            if let Some(needle) = self.needles.iter().find(|needle| place[at..].starts_with(&needle.bytes)) {
                let around = &place[at.saturating_sub(60)..(at + 60).min(place.len())];
                return Some(format!("{} at {at}: {}", needle.what, around.escape_ascii()));
            }
        }
        None
    }
}

/// Pieces of a length that is not there by chance: whoever shows part of a secret has shown it.
fn pieces(bytes: &[u8], length: usize) -> impl Iterator<Item = &[u8]> {
    let length = length.min(bytes.len());
    bytes.chunks_exact(length).chain([&bytes[bytes.len() - length..]])
}

#[test]
fn a_secret_is_found_in_every_way_in_which_it_may_be_written() {
    let pem = include_str!("../fixtures/signer/other2048.pem");
    let (password, master) =
        ("u8Zq-Tw4v.Lm2xKp7RsB", [0xA7; 32].map(|byte: u8| byte.wrapping_mul(37) ^ 0x1c));
    let master: Vec<u8> =
        master.iter().zip(0_u8..).map(|(byte, i)| byte.wrapping_add(i.wrapping_mul(73))).collect();
    let secrets = Secrets::default().text("password", password).bytes("master", &master).key("key", pem);
    let key = RsaPrivateKey::from_pkcs8_pem(pem).unwrap();
    let der = BASE64
        .decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>().as_bytes())
        .unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<_>>();
    let d = key.d().to_bytes_be();

    let mut planted: Vec<Vec<u8>> =
        vec![pem.into(), der, password.into(), d.clone(), reversed(&d), master.clone()];
    for bytes in [password.as_bytes(), &master, &d, &key.primes()[1].to_bytes_be()] {
        planted.push(hex(bytes).into());
        planted.push(hex(bytes).to_uppercase().into());
        planted.push(hex(&reversed(bytes)).into());
        planted.push(format!("{bytes:?}").into());
        planted.push(format!("{bytes:#?}").replace(['\n', ' '], "").into());
        planted.push(format!("{:?}", String::from_utf8_lossy(password.as_bytes())).into());
        for before in [&b""[..], b"x", b"xy"] {
            planted.push(BASE64.encode(&[before, bytes, b"z"].concat()).into());
            planted.push(BASE64URL.encode(&[before, bytes].concat()).into());
        }
    }
    for number in [key.d(), &key.primes()[0], key.dp().unwrap()] {
        planted.push(number.to_string().into());
        planted.push(format!("{number:?}").into());
        planted.push(format!("{number:x}").into());
    }
    // A part of it is as bad.
    planted.push(d[100..140].to_vec());
    planted.push(password.as_bytes()[..12].to_vec());

    let noise = "2026-11-22T14:00:00Z INFO key 17 signed 1000 records 6b86b273ff34fce19d6b804eff5a3f57 AAAAAAAAAAAA\n".repeat(3);
    assert_eq!(secrets.find(noise.as_bytes()), None);
    let folder = tempfile::tempdir().unwrap();
    for canary in planted {
        let log = folder.path().join("log");
        std::fs::write(&log, [noise.as_bytes(), &canary, noise.as_bytes()].concat()).unwrap();
        let found = secrets.find(&std::fs::read(&log).unwrap());
        assert!(found.is_some(), "not found: {}", canary.escape_ascii());
    }
    let public = key.to_public_key();
    assert_eq!(secrets.find(format!("{public:?}").as_bytes()), None, "the public half is no secret");
}
