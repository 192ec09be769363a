//! The other engine, RustCrypto's `rsa`: independent of aws-lc, portable, slower, not constant time.

use rsa::{
    BigUint, Pkcs1v15Sign, Pss, RsaPrivateKey, RsaPublicKey, rand_core::OsRng, traits::PublicKeyParts,
};
use sha2::{Sha256, Sha384, Sha512};

use super::{PrivateKey, PublicKey, Signer, SignerError, Verifier, each::sign_each};
use crate::domain::{Digest, DigestAlgorithm, Scheme, SignatureBuf};

/// Signs with `rsa`, blinded.
pub(super) struct RsaSigner {
    key: RsaPrivateKey,
    public_key: PublicKey,
}

impl RsaSigner {
    /// `None` if the library finds the key inconsistent.
    pub(super) fn new(key: &PrivateKey) -> Option<Self> {
        let parts = key.components();
        let primes = vec![parts.p.clone(), parts.q.clone()];
        let rsa = RsaPrivateKey::from_components(parts.n.clone(), parts.e.clone(), parts.d.clone(), primes);
        Some(Self { key: rsa.ok()?, public_key: key.public_key().clone() })
    }
}

impl Signer for RsaSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// `rsa_decrypt_and_check` (src/algorithms/rsa.rs of rsa 0.9) checks its result, for both paddings, after
    /// the blinding is removed.
    fn checks_itself(&self) -> bool {
        true
    }

    fn sign(
        &mut self,
        scheme: Scheme,
        digests: &[Digest],
        out: &mut SignatureBuf,
    ) -> Result<(), SignerError> {
        sign_each(&self.public_key, scheme, digests, out, |digest, signature| {
            let digest = digest.as_bytes();
            let made = if scheme.is_pss() {
                self.key.sign_with_rng(&mut OsRng, pss(scheme), digest)
            } else {
                self.key.sign_with_rng(&mut OsRng, pkcs1v15(scheme), digest)
            };
            signature.copy_from_slice(made.ok().filter(|made| made.len() == signature.len())?.as_slice());
            Some(())
        })
    }
}

/// Verifies with `rsa`.
pub(super) struct RsaVerifier {
    key: RsaPublicKey,
    public_key: PublicKey,
}

impl RsaVerifier {
    /// `None` if the library does not accept the key.
    pub(super) fn new(key: &PublicKey) -> Option<Self> {
        let (n, e) = key.components();
        // `new` and the parsers refuse keys of more than 4096 bits.
        Some(Self { key: RsaPublicKey::new_with_max_size(n, e, 8192).ok()?, public_key: key.clone() })
    }
}

impl Verifier for RsaVerifier {
    fn verify(&self, scheme: Scheme, digest: &Digest, signature: &[u8]) -> bool {
        // RFC 8017, section 5.2.2, step 1. The library omits this step for PSS, and would accept s + n as a
        // second signature.
        if !self.public_key.may_sign(scheme) || BigUint::from_bytes_be(signature) >= *self.key.n() {
            return false;
        }
        let digest = digest.as_bytes();
        let verified = if scheme.is_pss() {
            self.key.verify(pss(scheme), digest, signature)
        } else {
            self.key.verify(pkcs1v15(scheme), digest, signature)
        };
        verified.is_ok()
    }
}

/// PSS with a salt of the digest's length, for signing and verifying.
fn pss(scheme: Scheme) -> Pss {
    match scheme.digest() {
        DigestAlgorithm::Sha256 => Pss::new_blinded::<Sha256>(),
        DigestAlgorithm::Sha384 => Pss::new_blinded::<Sha384>(),
        DigestAlgorithm::Sha512 => Pss::new_blinded::<Sha512>(),
    }
}

fn pkcs1v15(scheme: Scheme) -> Pkcs1v15Sign {
    match scheme.digest() {
        DigestAlgorithm::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
        DigestAlgorithm::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
        DigestAlgorithm::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
    }
}
