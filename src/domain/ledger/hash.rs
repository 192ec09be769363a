//! The hashes of a tree (RFC 6962, section 2.1): of leaves, and of nodes.

use std::{fmt, str::FromStr};

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

/// A SHA-256 hash: of a leaf, of a node, or of a whole tree. Its text is base64 with padding, 44 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; Hash::LEN]);

/// Text that is not 32 bytes in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 32 bytes in base64")]
pub struct HashError;

impl Hash {
    /// How many bytes a hash has.
    pub const LEN: usize = 32;

    /// The hash of bytes in pieces.
    pub(super) fn of(pieces: &[&[u8]]) -> Self {
        Self(pieces.iter().fold(Sha256::new(), |hasher, piece| hasher.chain_update(piece)).finalize().into())
    }
}

/// The hash of a leaf with this data.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash::of(&[&[0], data])
}

/// The hash of the node above two others.
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    Hash::of(&[&[1], &left.0, &right.0])
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BASE64.encode_display(&self.0).fmt(f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| HashError)?;
        bytes.try_into().map(Self).map_err(|_| HashError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the reference implementation of Certificate Transparency has them.
    #[test]
    fn an_empty_leaf_has_the_hash_that_others_compute() {
        let hash = leaf_hash(b"");
        assert_eq!(hash.to_string(), "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=");
        assert_eq!(hash.to_string().parse(), Ok(hash));
    }

    #[test]
    fn only_one_text_is_a_hash() {
        let good = leaf_hash(b"").to_string();
        let not_zero = good.replace("0=", "1="); // bits that no byte has
        let short = good.trim_end_matches('=');
        for text in ["", short, &not_zero, &format!("{good}\n"), &good.replace('+', "-"), &good.repeat(2)] {
            assert_eq!(text.parse::<Hash>(), Err(HashError), "{text}");
        }
    }
}
