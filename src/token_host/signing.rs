//! Signs digests: the mechanisms of the six schemes (RFC 8017, sections 8.1 and 8.2).

use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::{
    mechanism::{Mechanism, MechanismType},
    session::Session,
    types::Ulong,
};

use super::{
    fault::{is_stale_handle, of_key},
    keys::Keys,
};
use crate::{
    domain::{DigestAlgorithm, Scheme},
    signer::token::protocol::{Answer, Bytes, Fault, ToSign},
};

/// Signs each digest in turn, and sends each signature at once.
pub(super) fn sign(
    session: &Session,
    keys: &Keys,
    to_sign: &ToSign,
    tell: impl Fn(Answer),
) -> Result<(), Fault> {
    let ToSign { key, scheme, digests } = to_sign;
    let mechanism = mechanism(*scheme);
    for digest in digests {
        let data = data(*scheme, &digest.0);
        let mut signed = session.sign(&mechanism, keys.handle(session, key)?, &data);
        if signed.as_ref().is_err_and(is_stale_handle) {
            keys.forget(key);
            signed = session.sign(&mechanism, keys.handle(session, key)?, &data);
        }
        let signature = signed.map_err(|error| {
            of_key(&format!("signing {scheme} with the key '{}' failed", key.location), &error)
        })?;
        tell(Answer::Signature(Bytes(signature)));
    }
    Ok(())
}

/// The mechanism that takes a digest, because the payloads stay where they are. The salt is as long as the digest.
fn mechanism(scheme: Scheme) -> Mechanism<'static> {
    if !scheme.is_pss() {
        return Mechanism::RsaPkcs;
    }
    let (hash_alg, mgf) = match scheme.digest() {
        DigestAlgorithm::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
        DigestAlgorithm::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384),
        DigestAlgorithm::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512),
    };
    let s_len = Ulong::try_from(scheme.digest().output_len()).expect("a digest is short");
    Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len })
}

/// What the mechanism is given: the digest, or the DER DigestInfo, which CKM_RSA_PKCS does not make. A token accepts a bare
/// digest, too, and signs something that no verifier accepts.
fn data(scheme: Scheme, digest: &[u8]) -> Vec<u8> {
    let prefix = if scheme.is_pss() { &[][..] } else { digest_info(scheme.digest()) };
    [prefix, digest].concat()
}

/// DER DigestInfo up to the digest (RFC 8017, section 9.2, note 1).
fn digest_info(algorithm: DigestAlgorithm) -> &'static [u8] {
    match algorithm {
        DigestAlgorithm::Sha256 => {
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
        }
        DigestAlgorithm::Sha384 => {
            b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
        }
        DigestAlgorithm::Sha512 => {
            b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
        }
    }
}
