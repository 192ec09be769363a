//! The part that all software signers share: checks and loop around one signing operation.

use super::{PublicKey, SignerError};
use crate::domain::{Digest, Scheme, SignatureBuf};

/// Signs each digest with `sign_one`, which fills in one signature. After a failure, `out` holds only complete
/// signatures.
pub(super) fn sign_each(
    public_key: &PublicKey,
    scheme: Scheme,
    digests: &[Digest],
    out: &mut SignatureBuf,
    mut sign_one: impl FnMut(&Digest, &mut [u8]) -> Option<()>,
) -> Result<(), SignerError> {
    if !public_key.may_sign(scheme) {
        let (fingerprint, allowed) = (public_key.fingerprint(), public_key.schemes());
        return Err(SignerError::SchemeForbidden { fingerprint, scheme, allowed });
    }
    for digest in digests {
        if digest.algorithm() != scheme.digest() {
            return Err(SignerError::WrongDigest(scheme));
        }
        let signature = out.push_zeroed();
        let signed = if signature.len() == public_key.modulus_len() {
            sign_one(digest, signature).ok_or(SignerError::Sign(public_key.fingerprint()))
        } else {
            Err(SignerError::WrongWidth(public_key.fingerprint()))
        };
        if signed.is_err() {
            out.pop();
            return signed;
        }
    }
    Ok(())
}
