//! Verifies eight signatures at once in the lanes of AVX-512 IFMA.

use super::{
    super::{PublicKey, SignerError, Verifier, aws_lc::AwsLcVerifier},
    LANES,
    names::in_lanes,
    ready::{if_it_fits, ready, refused},
};
use crate::domain::{Digest, Scheme};

/// Verifies in eight lanes. aws-lc verifies on other processors and with keys of other sizes.
pub(in super::super) struct LanesVerifier {
    public_key: PublicKey,
    aws_lc: AwsLcVerifier,
    /// `None` if this processor or the key does not fit.
    lanes: Option<signwave_lanes::PublicKey>,
}

impl LanesVerifier {
    /// Opens a key.
    ///
    /// # Errors
    /// When the engine fails its test on this machine, or does not accept the key.
    pub(in super::super) fn new(key: &PublicKey) -> Result<Self, SignerError> {
        let aws_lc = AwsLcVerifier::new(key).ok_or_else(|| refused(key.fingerprint()))?;
        let (n, e) = key.components();
        let open = || signwave_lanes::PublicKey::new(&n.to_bytes_be(), &e.to_bytes_be());
        let lanes = if ready()? { if_it_fits(open(), key.fingerprint())? } else { None };
        Ok(Self { public_key: key.clone(), aws_lc, lanes })
    }
}

impl Verifier for LanesVerifier {
    fn verify(&self, scheme: Scheme, digest: &Digest, signature: &[u8]) -> bool {
        self.verify_all(scheme, &[(*digest, signature)]) == [true]
    }

    fn verify_all(&self, scheme: Scheme, signed: &[(Digest, &[u8])]) -> Vec<bool> {
        let Some(lanes) = &self.lanes else { return self.aws_lc.verify_all(scheme, signed) };
        let mut verdicts = Vec::with_capacity(signed.len());
        for group in signed.chunks(LANES) {
            // The idle lanes verify some of them again.
            let lane = |lane: usize| &group[lane % group.len()];
            let digests: [&[u8]; LANES] = std::array::from_fn(|i| lane(i).0.as_bytes());
            let signatures: [&[u8]; LANES] = std::array::from_fn(|i| lane(i).1);
            let valid = lanes.verify(in_lanes(scheme), &digests, &signatures);
            let is_allowed =
                |digest: &Digest| self.public_key.may_sign(scheme) && digest.algorithm() == scheme.digest();
            verdicts.extend(group.iter().zip(valid).map(|((digest, _), valid)| valid && is_allowed(digest)));
        }
        verdicts
    }
}

#[cfg(test)]
impl LanesVerifier {
    pub(super) fn has_lanes(&self) -> bool {
        self.lanes.is_some()
    }
}
