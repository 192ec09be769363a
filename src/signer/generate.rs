//! New keys.

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeyPair, KeySize},
};

use super::{PrivateKey, SignerError};

/// Generates a key of 2048, 3072, 4096 or 8192 bits with the exponent 65537 (FIPS 186-5, appendix A.1.3).
/// 2048 bits take about a tenth of a second, 8192 bits up to minutes.
///
/// # Errors
/// For another size, or when the library fails.
pub fn generate(bits: u32) -> Result<PrivateKey, SignerError> {
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        8192 => KeySize::Rsa8192,
        _ => return Err(SignerError::GenerateSize { bits }),
    };
    let key = KeyPair::generate(size).map_err(|_| SignerError::Generate)?;
    let pkcs8 = key.as_der().map_err(|_| SignerError::Generate)?;
    PrivateKey::from_pkcs8(pkcs8.as_ref())
}
