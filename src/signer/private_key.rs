//! The private half of a key, held as PKCS#8 and wiped when dropped.

use std::fmt;

use num_bigint_dig::BigUint;
use pkcs8::{
    PrivateKeyInfo, SubjectPublicKeyInfoRef,
    der::{Decode, Encode, asn1::BitStringRef},
};
use rsa::pkcs1;
use zeroize::{Zeroize, Zeroizing};

use super::{KeyFlaw, PublicKey, SignerError};

/// An RSA private key, imported or generated. It cannot be cloned, and shows only its fingerprint.
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public_key: PublicKey,
}

impl PrivateKey {
    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Whether a prime of this key divides the modulus of `other`: then both can be factored by anyone
    /// who sees their public halves. A key shares its primes with itself; leave that out.
    pub fn shares_prime_with(&self, other: &PublicKey) -> bool {
        let (modulus, _) = other.components();
        let own = self.components();
        [&own.p, &own.q].into_iter().any(|prime| (&modulus % prime) == BigUint::default())
    }

    /// Takes an unencrypted PKCS#8 `PrivateKeyInfo` (RFC 5208, section 5) of an RSA key.
    ///
    /// The key is kept in its shortest form, without attributes. Its size and exponent are checked;
    /// whether its parts fit each other is not.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, SignerError> {
        let malformed = |_| SignerError::NotPrivateKey("its PKCS#8 does not parse");
        let info = PrivateKeyInfo::from_der(der).map_err(malformed)?;
        if info.algorithm.oid != pkcs1::ALGORITHM_OID {
            return Err(SignerError::NotRsa(algorithm_name(&info.algorithm.oid.to_string())));
        }
        if info.algorithm != pkcs1::ALGORITHM_ID {
            return Err(SignerError::NotPrivateKey("its algorithm's parameters are not NULL"));
        }
        Self::from_pkcs1(info.private_key)
    }

    /// Takes a PKCS#1 `RSAPrivateKey` (RFC 8017, appendix A.1.2); otherwise like
    /// [`from_pkcs8`](Self::from_pkcs8).
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, SignerError> {
        let malformed = |_| SignerError::NotPrivateKey("its RSAPrivateKey does not parse");
        let key = pkcs1::RsaPrivateKey::from_der(der).map_err(malformed)?;
        if key.version() == pkcs1::Version::Multi {
            return Err(KeyFlaw::MultiPrime.into());
        }
        let spki = encode_spki(key.public_key()).map_err(malformed)?;
        let public_key = PublicKey::from_spki(&spki)?;
        let pkcs8 = PrivateKeyInfo::new(pkcs1::ALGORITHM_ID, der).to_der().map_err(malformed)?;
        Ok(Self { pkcs8: Zeroizing::new(pkcs8), public_key })
    }

    /// Unencrypted PKCS#8 DER. Whoever holds it can sign.
    pub(super) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The numbers of the key.
    pub(super) fn components(&self) -> Components {
        let info = PrivateKeyInfo::from_der(&self.pkcs8).expect("it was encoded when it was made");
        let key = pkcs1::RsaPrivateKey::from_der(info.private_key).expect("it was parsed when it was made");
        let number = |integer: pkcs1::UintRef<'_>| BigUint::from_bytes_be(integer.as_bytes());
        Components {
            n: number(key.modulus),
            e: number(key.public_exponent),
            d: number(key.private_exponent),
            p: number(key.prime1),
            q: number(key.prime2),
            dp: number(key.exponent1),
            dq: number(key.exponent2),
            qinv: number(key.coefficient),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public_key.fingerprint())
    }
}

/// The numbers of a key by their names in RFC 8017, section 3.2; wiped when dropped.
pub(super) struct Components {
    pub(super) n: BigUint,
    pub(super) e: BigUint,
    pub(super) d: BigUint,
    pub(super) p: BigUint,
    pub(super) q: BigUint,
    pub(super) dp: BigUint,
    pub(super) dq: BigUint,
    pub(super) qinv: BigUint,
}

impl Drop for Components {
    fn drop(&mut self) {
        for secret in [&mut self.d, &mut self.p, &mut self.q, &mut self.dp, &mut self.dq, &mut self.qinv] {
            secret.zeroize();
        }
    }
}

fn encode_spki(key: pkcs1::RsaPublicKey<'_>) -> pkcs8::der::Result<Vec<u8>> {
    let key = key.to_der()?;
    let subject_public_key = BitStringRef::from_bytes(&key)?;
    SubjectPublicKeyInfoRef { algorithm: pkcs1::ALGORITHM_ID, subject_public_key }.to_der()
}

fn algorithm_name(oid: &str) -> &'static str {
    match oid {
        "1.2.840.113549.1.1.10" => "RSA, but for RSASSA-PSS only",
        "1.2.840.10045.2.1" => "EC",
        "1.2.840.10040.4.1" => "DSA",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        _ => "not RSA",
    }
}
