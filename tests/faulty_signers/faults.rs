//! What a signer may do wrong with one result.

use std::sync::OnceLock;

use num_bigint_dig::BigUint;
use rsa::{
    RsaPrivateKey,
    pkcs8::DecodePrivateKey,
    traits::{PrivateKeyParts, PublicKeyParts},
};
use signwave::{
    domain::{Digest, DigestAlgorithm, Scheme, SignatureBuf},
    signer::Signer,
};
use support::random::Random;

/// A way of going wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    FlippedBit,
    /// It signs with another key and says that it is its own.
    WrongKey,
    /// It is a signer of another key altogether, and says so.
    Stranger,
    /// The same, of a longer key.
    LongerKey,
    /// It signs a digest with a bit flipped.
    WrongDigest,
    /// The first or the last byte is cut off.
    Truncated,
    /// Nothing is signed: the no-op signer.
    Zero,
    /// A number above the modulus.
    Ones,
    /// The signature of another record of the batch.
    AnotherRecord,
    AnotherScheme,
    /// Right modulo one prime only: what a fault in the CRT computation leaves, and what reveals the key.
    HalfOfCrt,
    /// One signature is left out, a later one comes twice: the count is right.
    Shifted,
    /// A signature that it handed out before is changed afterwards.
    ChangedLater,
}

impl Fault {
    pub const ALL: [Self; 13] = [
        Self::FlippedBit,
        Self::WrongKey,
        Self::Stranger,
        Self::LongerKey,
        Self::WrongDigest,
        Self::Truncated,
        Self::Zero,
        Self::Ones,
        Self::AnotherRecord,
        Self::AnotherScheme,
        Self::HalfOfCrt,
        Self::Shifted,
        Self::ChangedLater,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::FlippedBit => "flipped bit",
            Self::WrongKey => "wrong key",
            Self::Stranger => "stranger",
            Self::LongerKey => "longer key",
            Self::WrongDigest => "wrong digest",
            Self::Truncated => "truncated",
            Self::Zero => "zero",
            Self::Ones => "ones",
            Self::AnotherRecord => "another record's",
            Self::AnotherScheme => "another scheme's",
            Self::HalfOfCrt => "half of the CRT",
            Self::Shifted => "shifted",
            Self::ChangedLater => "changed later",
        }
    }
}

/// The key whose signatures can be spoiled modulo one prime.
pub const KNOWN: &str = include_str!("../fixtures/signer/rsa2048.pem");

/// A signature that is right modulo one prime of [`KNOWN`], and wrong modulo the other.
pub fn half_of_crt(signature: &[u8]) -> Vec<u8> {
    static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
    let key = KEY.get_or_init(|| RsaPrivateKey::from_pkcs8_pem(KNOWN).unwrap());
    let bytes = ((BigUint::from_bytes_be(signature) + &key.primes()[0]) % key.n()).to_bytes_be();
    [vec![0; signature.len() - bytes.len()], bytes].concat()
}

pub fn flip(bytes: &mut [u8], random: &mut Random) {
    let bit = random.below(bytes.len() as u64 * 8) as usize;
    bytes[bit / 8] ^= 1 << (bit % 8);
}

pub fn flipped(digest: Digest, random: &mut Random) -> Digest {
    let mut bytes = digest.as_bytes().to_vec();
    flip(&mut bytes, random);
    Digest::new(digest.algorithm(), &bytes).unwrap()
}

pub fn truncated(signature: &[u8], random: &mut Random) -> Vec<u8> {
    let zero = vec![0];
    match random.below(2) {
        0 => [&zero, &signature[..signature.len() - 1]].concat(),
        _ => [&signature[1..], &zero].concat(),
    }
}

/// The scheme with the same hash function and the other padding.
pub fn other_padding(scheme: Scheme) -> Scheme {
    let same: fn(DigestAlgorithm) -> [Scheme; 2] = |algorithm| match algorithm {
        DigestAlgorithm::Sha256 => [Scheme::Ps256, Scheme::Rs256],
        DigestAlgorithm::Sha384 => [Scheme::Ps384, Scheme::Rs384],
        DigestAlgorithm::Sha512 => [Scheme::Ps512, Scheme::Rs512],
    };
    same(scheme.digest()).into_iter().find(|other| *other != scheme).unwrap()
}

/// The signatures that a signer makes.
pub fn sign(signer: &mut dyn Signer, scheme: Scheme, digests: &[Digest]) -> Vec<Vec<u8>> {
    let mut out = SignatureBuf::with_capacity(signer.public_key().modulus_len(), digests.len());
    signer.sign(scheme, digests, &mut out).unwrap();
    out.iter().map(<[u8]>::to_vec).collect()
}
