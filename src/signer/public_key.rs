//! The public half of a key.

use num_bigint_dig::ModInverse;
use pkcs8::{
    AlgorithmIdentifierRef, SubjectPublicKeyInfoRef,
    der::{Decode, Encode, asn1::BitStringRef},
};
use rsa::{BigUint, pkcs1};

use super::{KeyFlaw, SignerError, hash, pem, restriction::Restriction};
use crate::domain::{DigestAlgorithm, Fingerprint, Scheme};

/// An RSA public key that was parsed and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    spki: Vec<u8>,
    fingerprint: Fingerprint,
    bits: u32,
    restriction: Restriction,
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo (RFC 5280, section 4.1; RFC 8017, appendix A.1.1).
    ///
    /// # Errors
    /// When `der` is not the canonical DER of an `rsaEncryption` or RSASSA-PSS key, or the key's size or
    /// exponent is out of bounds.
    pub fn from_spki(der: &[u8]) -> Result<Self, SignerError> {
        let (n, e, restriction) = parse(der)?;
        let bits = check(&n, &e)?;
        Ok(Self { spki: der.to_vec(), fingerprint: fingerprint(der), bits, restriction })
    }

    /// Takes the modulus and the public exponent, as bytes with the most significant first. The key may be used with every
    /// scheme.
    ///
    /// # Errors
    /// When the key's size or exponent is out of bounds.
    pub fn from_numbers(modulus: &[u8], exponent: &[u8]) -> Result<Self, SignerError> {
        let spki = || -> pkcs8::der::Result<Vec<u8>> {
            let key = pkcs1::RsaPublicKey {
                modulus: pkcs1::UintRef::new(modulus)?,
                public_exponent: pkcs1::UintRef::new(exponent)?,
            };
            encode_spki(pkcs1::ALGORITHM_ID, key)
        };
        Self::from_spki(&spki().map_err(|_| SignerError::MalformedPublicKey("its numbers are too long"))?)
    }

    /// Whether the two keys have a prime in common. Anyone who sees both public halves can then factor both keys.
    /// Callers must not compare a key with itself.
    pub fn shares_prime_with(&self, other: &Self) -> bool {
        let ((one, _), (other, _)) = (self.components(), other.components());
        // Numbers with a common factor have no inverse modulo each other.
        one.mod_inverse(other).is_none()
    }

    /// Whether the key may be used with `scheme`. A key that is restricted to RSASSA-PSS must not use another padding.
    pub fn may_sign(&self, scheme: Scheme) -> bool {
        self.restriction.allows(scheme)
    }

    /// The schemes that the key may be used with, in words.
    pub fn schemes(&self) -> &'static str {
        self.restriction.schemes()
    }

    /// Whether `other` has the same modulus and exponent. The schemes that it may be used with can differ.
    pub fn has_the_numbers_of(&self, other: &Self) -> bool {
        self.components() == other.components()
    }

    /// DER SubjectPublicKeyInfo without the restriction to certain schemes, as the libraries require it.
    pub(super) fn plain_spki(&self) -> Option<Vec<u8>> {
        let spki = SubjectPublicKeyInfoRef::from_der(&self.spki).ok()?;
        SubjectPublicKeyInfoRef { algorithm: pkcs1::ALGORITHM_ID, ..spki }.to_der().ok()
    }

    /// DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The key's name in every database and log: SHA-256 of [`spki`](Self::spki).
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Length of the modulus in bits, 2048 to 8192.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Length of the modulus, and of each signature, in bytes.
    pub fn modulus_len(&self) -> usize {
        self.bits.div_ceil(8) as usize
    }

    /// The key in PEM, as openssl reads and writes it (RFC 7468, section 13).
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.spki)
    }

    /// The modulus and the public exponent, as bytes without leading zeros, the most significant first.
    pub fn numbers(&self) -> (Vec<u8>, Vec<u8>) {
        let (n, e) = self.components();
        (n.to_bytes_be(), e.to_bytes_be())
    }

    /// The modulus and the public exponent.
    pub(super) fn components(&self) -> (BigUint, BigUint) {
        let (n, e, _) = parse(&self.spki).expect("it was parsed when it was made");
        (n, e)
    }
}

/// DER SubjectPublicKeyInfo of a key with this algorithm.
pub(super) fn encode_spki(
    algorithm: AlgorithmIdentifierRef<'_>,
    key: pkcs1::RsaPublicKey<'_>,
) -> pkcs8::der::Result<Vec<u8>> {
    let key = key.to_der()?;
    let subject_public_key = BitStringRef::from_bytes(&key)?;
    SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der()
}

/// The parser accepts only canonical DER, so that a key has only one fingerprint.
fn parse(der: &[u8]) -> Result<(BigUint, BigUint, Restriction), SignerError> {
    let malformed = SignerError::MalformedPublicKey;
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| malformed("it does not parse"))?;
    let restriction = match Restriction::of(spki.algorithm) {
        Ok(Some(Restriction::Free)) if spki.algorithm != pkcs1::ALGORITHM_ID => None,
        Ok(restriction) => restriction,
        Err(_) => return Err(malformed("its RSASSA-PSS parameters match none of PS256, PS384 and PS512")),
    };
    let restriction =
        restriction.ok_or(malformed("its algorithm is neither rsaEncryption nor RSASSA-PSS"))?;
    let key = spki.subject_public_key.as_bytes().and_then(|bytes| pkcs1::RsaPublicKey::from_der(bytes).ok());
    let key = key.ok_or(malformed("its modulus and exponent do not parse"))?;
    let number = |integer: pkcs1::UintRef<'_>| BigUint::from_bytes_be(integer.as_bytes());
    Ok((number(key.modulus), number(key.public_exponent), restriction))
}

/// Checks the size and the exponent (FIPS 186-5, appendix A.1), and returns the length of the modulus in bits.
///
/// Both libraries have the same upper bound for the exponent.
fn check(n: &BigUint, e: &BigUint) -> Result<u32, KeyFlaw> {
    let bits = n.bits() as u32;
    if !(2048..=8192).contains(&bits) {
        return Err(KeyFlaw::Size { bits });
    }
    if is_even(n) {
        return Err(KeyFlaw::EvenModulus);
    }
    if is_even(e) {
        return Err(KeyFlaw::EvenExponent);
    }
    if e.bits() > 33 {
        return Err(KeyFlaw::LargeExponent { bits: e.bits() as u32 });
    }
    let exponent = e.to_bytes_be().iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    if exponent < 65537 {
        return Err(KeyFlaw::SmallExponent { exponent });
    }
    Ok(bits)
}

fn is_even(number: &BigUint) -> bool {
    number.trailing_zeros() != Some(0)
}

/// The fingerprint of a SubjectPublicKeyInfo.
pub(super) fn fingerprint(spki: &[u8]) -> Fingerprint {
    let digest = hash::digest(DigestAlgorithm::Sha256, spki);
    Fingerprint(digest.as_bytes().try_into().expect("SHA-256 has 32 bytes"))
}
