//! Our schemes by the names of the crate that signs in lanes.

use signwave_lanes::{Hash, Padding};

use crate::domain::{DigestAlgorithm, Scheme};

/// The scheme by the crate's name.
pub(super) fn in_lanes(scheme: Scheme) -> signwave_lanes::Scheme {
    let padding = if scheme.is_pss() { Padding::Pss } else { Padding::Pkcs1v15 };
    let hash = match scheme.digest() {
        DigestAlgorithm::Sha256 => Hash::Sha256,
        DigestAlgorithm::Sha384 => Hash::Sha384,
        DigestAlgorithm::Sha512 => Hash::Sha512,
    };
    signwave_lanes::Scheme { padding, hash }
}
