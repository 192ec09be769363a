//! The signature schemes.

use sha2::{Digest, Sha256, Sha384, Sha512};

/// A signature scheme of RFC 8017.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scheme {
    /// How a digest becomes a number.
    pub padding: Padding,
    /// The function that made the digests.
    pub hash: Hash,
}

/// How a digest becomes a number of the modulus' length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Padding {
    /// EMSA-PKCS1-v1_5 (RFC 8017, section 9.2).
    Pkcs1v15,
    /// EMSA-PSS with MGF1 and the same hash function, and a salt as long as the digest (RFC 8017, section 9.1).
    Pss,
}

/// A hash function of FIPS 180-4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Bytes of the longest digest.
pub(crate) const MAX_DIGEST: usize = 64;

impl Hash {
    /// Bytes of a digest.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Writes the hash of the parts, one after the other, to the beginning of `out`.
    pub(crate) fn digest(self, parts: &[&[u8]], out: &mut [u8; MAX_DIGEST]) {
        fn with<D: Digest>(parts: &[&[u8]], out: &mut [u8; MAX_DIGEST]) {
            let mut hash = D::new();
            parts.iter().for_each(|part| hash.update(part));
            let digest = hash.finalize();
            out[..digest.len()].copy_from_slice(&digest);
        }
        match self {
            Self::Sha256 => with::<Sha256>(parts, out),
            Self::Sha384 => with::<Sha384>(parts, out),
            Self::Sha512 => with::<Sha512>(parts, out),
        }
    }
}
