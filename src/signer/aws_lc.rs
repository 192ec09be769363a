//! The default engine, aws-lc: constant time, blinded, each result checked against fault attacks.

use std::sync::OnceLock;

use aws_lc_rs::{
    digest,
    rsa::KeyPair,
    signature::{
        self, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
        RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
        RSA_PSS_2048_8192_SHA512, RsaEncoding, RsaParameters,
    },
};

use super::{PrivateKey, PublicKey, Signer, SignerError, Verifier, each::sign_each, hash};
use crate::domain::{Digest, Scheme, SignatureBuf};

/// Signs with aws-lc.
pub(super) struct AwsLcSigner {
    key: KeyPair,
    public_key: PublicKey,
}

impl AwsLcSigner {
    /// `None` if the library finds the key inconsistent.
    pub(super) fn new(key: &PrivateKey) -> Option<Self> {
        let public_key = key.public_key().clone();
        let key = KeyPair::from_der(key.pkcs1()).ok()?;
        // The library panics when it signs into a buffer of another length.
        (key.public_modulus_len() == public_key.modulus_len()).then_some(Self { key, public_key })
    }
}

impl Signer for AwsLcSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// `rsa_default_private_transform` (crypto/fipsmodule/rsa/rsa_impl.c of aws-lc) checks its result, with or
    /// without the CRT. The step after the check, the removal of the blinding, is not checked.
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
            self.key.sign_digest(encoding(scheme), &import(digest)?, signature).ok()
        })
    }
}

/// Verifies with aws-lc. The key is parsed once for each scheme that is used.
pub(super) struct AwsLcVerifier {
    spki: Vec<u8>,
    public_key: PublicKey,
    keys: [OnceLock<Option<ParsedPublicKey>>; Scheme::ALL.len()],
}

impl AwsLcVerifier {
    /// `None` if the library does not accept the key.
    pub(super) fn new(key: &PublicKey) -> Option<Self> {
        let verifier = Self { spki: key.plain_spki()?, public_key: key.clone(), keys: Default::default() };
        verifier.key(Scheme::default())?;
        Some(verifier)
    }

    fn key(&self, scheme: Scheme) -> Option<&ParsedPublicKey> {
        let parse = || ParsedPublicKey::new(parameters(scheme), &self.spki).ok();
        self.keys[scheme as usize].get_or_init(parse).as_ref()
    }
}

impl Verifier for AwsLcVerifier {
    fn verify(&self, scheme: Scheme, digest: &Digest, signature: &[u8]) -> bool {
        let key = self.key(scheme).zip(import(digest)).filter(|_| self.public_key.may_sign(scheme));
        key.is_some_and(|(key, digest)| key.verify_digest_sig(&digest, signature).is_ok())
    }
}

/// Converts to the library's type. The library calls this "less safe" because it did not see the message.
fn import(digest: &Digest) -> Option<digest::Digest> {
    let algorithm = hash::aws_lc_algorithm(digest.algorithm());
    digest::Digest::import_less_safe(digest.as_bytes(), algorithm).ok()
}

/// How to sign. PSS salts have the digest's length.
fn encoding(scheme: Scheme) -> &'static dyn RsaEncoding {
    match scheme {
        Scheme::Ps256 => &signature::RSA_PSS_SHA256,
        Scheme::Ps384 => &signature::RSA_PSS_SHA384,
        Scheme::Ps512 => &signature::RSA_PSS_SHA512,
        Scheme::Rs256 => &signature::RSA_PKCS1_SHA256,
        Scheme::Rs384 => &signature::RSA_PKCS1_SHA384,
        Scheme::Rs512 => &signature::RSA_PKCS1_SHA512,
    }
}

/// How to verify. PSS salts must have the digest's length.
fn parameters(scheme: Scheme) -> &'static RsaParameters {
    match scheme {
        Scheme::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Scheme::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Scheme::Ps512 => &RSA_PSS_2048_8192_SHA512,
        Scheme::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Scheme::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Scheme::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
    }
}
