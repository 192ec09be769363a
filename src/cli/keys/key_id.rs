//! The id of a key in a token, as users write it.

use std::str::FromStr;

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::signer::token::Location;

/// `CKA_ID` in hexadecimal digits, as pkcs11-tool shows it.
#[derive(Clone, Debug)]
pub struct KeyId(Vec<u8>);

impl KeyId {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match HEXLOWER_PERMISSIVE.decode(text.as_bytes()) {
            Ok(id) if (1..=Location::LONGEST).contains(&id.len()) => Ok(Self(id)),
            _ => Err("an id is 1 to 255 bytes in hexadecimal digits, such as 01a2"),
        }
    }
}
