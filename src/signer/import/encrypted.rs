//! Encrypted PKCS#8 (RFC 5958, section 3).

use pkcs8::{
    EncryptedPrivateKeyInfo,
    der::Decode,
    pkcs5::{EncryptionScheme, pbes2},
};
use zeroize::Zeroizing;

use crate::signer::SignerError;

/// This many PBKDF2 rounds take seconds; openssl's default is 2048, OWASP recommends 600,000.
const MAX_ITERATIONS: u32 = 10_000_000;
/// Memory for scrypt (128·N·r); openssl's default takes 16 MiB.
const MAX_SCRYPT_MEMORY: u64 = 256 * 1024 * 1024;

/// Decrypts an encrypted PKCS#8 document.
pub(super) fn open(der: &[u8], passphrase: Option<&[u8]>) -> Result<Zeroizing<Vec<u8>>, SignerError> {
    let passphrase = passphrase.ok_or(SignerError::PassphraseNeeded)?;
    let unread = || unread(der);
    let info = EncryptedPrivateKeyInfo::from_der(der).map_err(|_| unread())?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(unread());
    };
    refuse_costly(&parameters.kdf)?;
    // The algorithms are known to be supported here, so an error means that the padding is wrong.
    parameters
        .decrypt(passphrase, info.encrypted_data)
        .map(Zeroizing::new)
        .map_err(|_| SignerError::WrongPassphrase)
}

/// A hostile file must not make the import hang or run out of memory.
fn refuse_costly(kdf: &pbes2::Kdf<'_>) -> Result<(), SignerError> {
    match kdf {
        pbes2::Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count > MAX_ITERATIONS => {
            Err(SignerError::CostTooHigh("PBKDF2 rounds"))
        }
        pbes2::Kdf::Scrypt(scrypt) => {
            let (n, r, p) = (scrypt.cost_parameter, scrypt.block_size, scrypt.parallelization);
            if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
                return Err(unsupported("invalid scrypt parameters"));
            }
            let memory = n.saturating_mul(128 * u64::from(r));
            if memory > MAX_SCRYPT_MEMORY || memory.saturating_mul(p.into()) > 4 * MAX_SCRYPT_MEMORY {
                return Err(SignerError::CostTooHigh("scrypt memory"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

const CONVERT: &str = "openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out converted.pem";
/// For algorithms that OpenSSL 3 supports only with its legacy provider.
const CONVERT_LEGACY: &str =
    "openssl pkcs8 -topk8 -provider legacy -provider default -in FILE -out converted.pem";

/// Unsupported algorithms: the object identifier in DER, the name, and the command that converts the key.
const UNREAD: [(&[u8], &str, &str); 15] = [
    (b"\x2a\x86\x48\x86\xf7\x0d\x02\x0c", "PBKDF2 with hmacWithSHA512-224", CONVERT),
    (b"\x2a\x86\x48\x86\xf7\x0d\x02\x0d", "PBKDF2 with hmacWithSHA512-256", CONVERT),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x0d", "PBKDF2 with HMAC-SHA3-224", CONVERT),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x0e", "PBKDF2 with HMAC-SHA3-256", CONVERT),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x0f", "PBKDF2 with HMAC-SHA3-384", CONVERT),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x10", "PBKDF2 with HMAC-SHA3-512", CONVERT),
    (b"\x2a\x86\x48\x86\xf7\x0d\x03\x07", "triple DES", CONVERT),
    (b"\x2a\x86\x48\x86\xf7\x0d\x03\x02", "RC2", CONVERT_LEGACY),
    (b"\x2b\x0e\x03\x02\x07", "DES", CONVERT_LEGACY),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03", "PBES1 with triple DES", CONVERT),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x04", "PBES1 with triple DES", CONVERT),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01", "PBES1 with RC2 or RC4", CONVERT_LEGACY),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d", "a cipher other than AES in CBC mode", CONVERT),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05", "PBES1 with DES or RC2", CONVERT_LEGACY),
    (b"", "an unknown scheme", CONVERT),
];

fn unread(der: &[u8]) -> SignerError {
    // The algorithms are at the start of the document.
    let start = &der[..der.len().min(160)];
    let is_in = |oid: &[u8]| oid.is_empty() || start.windows(oid.len()).any(|window| window == oid);
    let (_, how, convert) = UNREAD.iter().find(|(oid, ..)| is_in(oid)).unwrap_or(&UNREAD[UNREAD.len() - 1]);
    SignerError::UnsupportedEncryption { how, convert }
}

fn unsupported(how: &'static str) -> SignerError {
    SignerError::UnsupportedEncryption { how, convert: CONVERT }
}
