//! The third engine: eight digests at once in the lanes of AVX-512 IFMA, and aws-lc for everything else.

mod group;
mod names;
mod ready;
mod verifier;

use super::{PrivateKey, PublicKey, Signer, SignerError, aws_lc::AwsLcSigner, each::sign_each};
use crate::domain::{Digest, Scheme, SignatureBuf};
use group::GroupSigner;
use ready::refused;
pub(super) use ready::{is_supported, ready};
pub(super) use verifier::LanesVerifier;

/// How many digests are signed at once.
pub const LANES: usize = signwave_lanes::LANES;

/// Groups of up to this many digests are signed by aws-lc, because a group of eight takes as long as two and a half to
/// four of its signatures, depending on the processor.
const FEW: usize = 4;

/// Signs groups of eight digests in eight lanes. aws-lc signs small groups, and everything on other processors and with
/// other keys.
pub(super) struct LanesSigner {
    aws_lc: AwsLcSigner,
    /// `None` if this processor or the key does not fit.
    group: Option<GroupSigner>,
}

impl LanesSigner {
    /// Opens a key.
    ///
    /// # Errors
    /// When the engine fails its test on this machine, or finds the key inconsistent.
    pub(super) fn new(key: &PrivateKey) -> Result<Self, SignerError> {
        let aws_lc = AwsLcSigner::new(key).ok_or_else(|| refused(key.public_key().fingerprint()))?;
        let group = if ready()? { GroupSigner::new(key)? } else { None };
        Ok(Self { aws_lc, group })
    }
}

impl Signer for LanesSigner {
    fn public_key(&self) -> &PublicKey {
        self.aws_lc.public_key()
    }

    /// The eight results of a group are raised to the public exponent, and compared, after the recombination. Besides,
    /// aws-lc verifies at least one of them.
    fn checks_itself(&self) -> bool {
        true
    }

    fn sign(
        &mut self,
        scheme: Scheme,
        digests: &[Digest],
        out: &mut SignatureBuf,
    ) -> Result<(), SignerError> {
        for digests in digests.chunks(LANES) {
            match &mut self.group {
                Some(group) if is_plain(self.aws_lc.public_key(), scheme, digests) => {
                    let made = group.sign(scheme, digests)?;
                    append(self.aws_lc.public_key(), scheme, digests, made, out)?;
                }
                // aws-lc's signer also says what is wrong with a group.
                _ => self.aws_lc.sign(scheme, digests, out)?,
            }
        }
        Ok(())
    }
}

/// Whether a group is worth eight lanes, and the key may sign each of its digests with `scheme`.
fn is_plain(key: &PublicKey, scheme: Scheme, digests: &[Digest]) -> bool {
    let fits = |digest: &Digest| digest.algorithm() == scheme.digest();
    digests.len() > FEW && key.may_sign(scheme) && digests.iter().all(fits)
}

/// Appends the signatures of a group, which were all checked.
fn append<'a>(
    key: &PublicKey,
    scheme: Scheme,
    digests: &[Digest],
    mut made: impl Iterator<Item = &'a [u8]>,
    out: &mut SignatureBuf,
) -> Result<(), SignerError> {
    sign_each(key, scheme, digests, out, |_, signature| {
        signature.copy_from_slice(made.next()?);
        Some(())
    })
}

#[cfg(test)]
mod tests;
