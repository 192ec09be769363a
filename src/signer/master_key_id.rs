//! The id of a master key.

use std::fmt;

use data_encoding::HEXLOWER;

/// Tells master keys apart: the first 8 bytes of a hash (SHA-256) of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasterKeyId(pub [u8; 8]);

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}
