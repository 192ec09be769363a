//! The private half of a key, held as PKCS#8 and wiped when dropped.

use std::fmt;

use num_bigint_dig::BigUint;
use pkcs8::{
    AlgorithmIdentifierRef, PrivateKeyInfo,
    der::{Decode, Encode, asn1::AnyRef},
};
use rsa::pkcs1;
use zeroize::Zeroizing;

use super::{
    KeyFlaw, PublicKey, SignerError, numbers::Components, public_key::encode_spki, restriction::Restriction,
};

/// An RSA private key, imported or generated. It cannot be cloned, and `Debug` shows only its fingerprint.
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public_key: PublicKey,
}

impl PrivateKey {
    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Whether a prime of this key divides the modulus of `other`. Anyone who sees both public halves can then
    /// factor both keys. Callers must not compare a key with itself, because it shares its primes with itself.
    pub fn shares_prime_with(&self, other: &PublicKey) -> bool {
        let (modulus, _) = other.components();
        let own = self.components();
        [&own.p, &own.q].into_iter().any(|prime| (&modulus % prime) == BigUint::default())
    }

    /// Takes an unencrypted PKCS#8 `PrivateKeyInfo` (RFC 5208, section 5) of an RSA key.
    ///
    /// The key is kept in its shortest form, without attributes. Its size and exponent are checked. The
    /// consistency of its parts is not checked.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, SignerError> {
        let malformed = |_| SignerError::NotPrivateKey("its PKCS#8 does not parse");
        let info = PrivateKeyInfo::from_der(der).map_err(malformed)?;
        let name = || SignerError::NotRsa(algorithm_name(&info.algorithm.oid.to_string()));
        let restriction = Restriction::of(info.algorithm)?.ok_or_else(name)?;
        // The standard requires NULL (RFC 8017, appendix C), but some programs omit it.
        let algorithm = match (restriction, info.algorithm.parameters) {
            (Restriction::Free, None | Some(AnyRef::NULL)) => pkcs1::ALGORITHM_ID,
            (Restriction::Free, Some(_)) => {
                return Err(SignerError::NotPrivateKey("its algorithm's parameters are not NULL"));
            }
            (Restriction::Pss | Restriction::PssWith(_), _) => info.algorithm,
        };
        Self::of(algorithm, info.private_key)
    }

    /// Takes a PKCS#1 `RSAPrivateKey` (RFC 8017, appendix A.1.2); otherwise like
    /// [`from_pkcs8`](Self::from_pkcs8). Primes and CRT parameters that are all 0 are computed.
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, SignerError> {
        Self::of(pkcs1::ALGORITHM_ID, der)
    }

    fn of(algorithm: AlgorithmIdentifierRef<'_>, der: &[u8]) -> Result<Self, SignerError> {
        let malformed = |_| SignerError::NotPrivateKey("its RSAPrivateKey does not parse");
        // Arithmetic with longer numbers would take too long.
        if der.len() > MAX_LEN {
            return Err(SignerError::NotPrivateKey("its numbers are longer than those of any key"));
        }
        let key = pkcs1::RsaPrivateKey::from_der(der).map_err(malformed)?;
        if key.version() == pkcs1::Version::Multi {
            return Err(KeyFlaw::MultiPrime.into());
        }
        let spki = encode_spki(algorithm, key.public_key()).map_err(malformed)?;
        let public_key = PublicKey::from_spki(&spki)?;
        // Smart cards, JSON Web Keys and some libraries provide only n, e and d.
        let parts = Components::of(&key);
        let completed =
            if parts.are_partial() { Some(parts.complete()?.to_pkcs1().map_err(malformed)?) } else { None };
        let der = completed.as_deref().map_or(der, Vec::as_slice);
        let pkcs8 = PrivateKeyInfo::new(algorithm, der).to_der().map_err(malformed)?;
        Ok(Self { pkcs8: Zeroizing::new(pkcs8), public_key })
    }

    /// Takes the numbers of the key; otherwise like [`from_pkcs1`](Self::from_pkcs1).
    pub(super) fn from_numbers(numbers: &Components) -> Result<Self, SignerError> {
        let der = numbers.to_pkcs1().map_err(|_| SignerError::NotPrivateKey("its numbers are too long"))?;
        Self::from_pkcs1(&der)
    }

    /// Unencrypted PKCS#8 DER, with the algorithm that the key is restricted to. This is the secret itself.
    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// PKCS#1 DER, which does not say what the key may be used with.
    pub(super) fn pkcs1(&self) -> &[u8] {
        PrivateKeyInfo::from_der(&self.pkcs8).expect("it was encoded when it was made").private_key
    }

    /// The numbers of the key.
    pub(super) fn components(&self) -> Components {
        let key = pkcs1::RsaPrivateKey::from_der(self.pkcs1()).expect("it was parsed when it was made");
        Components::of(&key)
    }
}

/// The longest PKCS#1 encoding in bytes. That of an 8192-bit key has about 4700.
const MAX_LEN: usize = 64 * 1024;

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public_key.fingerprint())
    }
}

fn algorithm_name(oid: &str) -> &'static str {
    match oid {
        "1.2.840.10045.2.1" => "EC",
        "1.2.840.10040.4.1" => "DSA",
        "1.2.840.113549.1.1.7" => "RSA, but only for OAEP encryption",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        "1.3.101.110" => "X25519",
        _ => "not RSA",
    }
}
