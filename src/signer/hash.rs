//! Message digests, with the processor's SHA instructions where it has them.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};

use crate::domain::{Digest, DigestAlgorithm};

/// The digest of a payload (FIPS 180-4).
pub fn digest(algorithm: DigestAlgorithm, payload: &[u8]) -> Digest {
    let digest = digest::digest(aws_lc_algorithm(algorithm), payload);
    Digest::new(algorithm, digest.as_ref()).expect("a digest has the length of its algorithm")
}

/// The algorithm by aws-lc's name.
pub(super) fn aws_lc_algorithm(algorithm: DigestAlgorithm) -> &'static digest::Algorithm {
    match algorithm {
        DigestAlgorithm::Sha256 => &SHA256,
        DigestAlgorithm::Sha384 => &SHA384,
        DigestAlgorithm::Sha512 => &SHA512,
    }
}
