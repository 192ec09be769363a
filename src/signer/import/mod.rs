//! Imports private keys: which forms are supported, and the errors for all others.

mod der;
mod encrypted;
mod foreign;
mod jwk;
mod pkcs12;
mod text;
mod xml;

use super::{PrivateKey, SignerError, check, pem};

/// The largest input: room for a key and all the certificates that a system trusts.
const MAX_INPUT: usize = 1024 * 1024;

/// Reads an RSA private key in any of the supported forms:
///
/// - PKCS#1 or PKCS#8, in PEM or DER; PKCS#8 may be encrypted (PBES2 with PBKDF2 or scrypt, and AES in CBC
///   mode; RFC 8018, RFC 7914),
/// - PEM among other data: certificates, bag attributes, JSON; also PEM or DER encoded in base64,
/// - PKCS#12, encrypted like PKCS#8 (RFC 7292),
/// - a JSON Web Key (RFC 7517), .NET's XML.
///
/// Primes and CRT parameters that are missing are computed. A passphrase that is not needed is ignored.
///
/// # Errors
/// When the input is not exactly one such key, when the key does not open, or when it must not be used
/// ([`Refused`](SignerError::Refused), with the reason). The error for a known but unsupported form has the
/// command that converts the file.
pub fn import(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, SignerError> {
    if bytes.len() > MAX_INPUT {
        return Err(SignerError::InputTooLarge { limit: MAX_INPUT });
    }
    let key = read(bytes, passphrase)?;
    check::private_key(&key)?;
    Ok(key)
}

fn read(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, SignerError> {
    if bytes.trim_ascii().is_empty() {
        return Err(SignerError::NotPrivateKey("it is empty"));
    }
    if let Some(decoded) = text::from_utf16(bytes) {
        return read_text(&decoded, passphrase).map_err(|error| match error {
            // The commands in these errors expect a file in UTF-8.
            SignerError::Foreign { .. }
            | SignerError::SeveralKeys { .. }
            | SignerError::TraditionalEncryption
            | SignerError::UnsupportedEncryption { .. } => SignerError::Foreign {
                form: "a key in UTF-16 text that has to be converted twice",
                convert: "iconv -f UTF-16 -t UTF-8 FILE > converted.pem",
            },
            error => error,
        });
    }
    read_text(bytes, passphrase)
}

fn read_text(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, SignerError> {
    if pem::is_in(bytes) {
        return from_pem(bytes, passphrase);
    }
    let text = bytes.strip_prefix(text::UTF8_MARK).unwrap_or(bytes).trim_ascii_start();
    if let Some(key) = jwk::read(text).or_else(|| xml::read(text)) {
        return key;
    }
    match text::encoded_keys(text).as_slice() {
        [key] if pem::is_in(key) => return from_pem(key, passphrase),
        [key] => return der::read(key, passphrase),
        [] => {}
        keys => return Err(SignerError::SeveralKeys { count: keys.len(), split: None }),
    }
    foreign::refuse_known(bytes)?;
    der::read(bytes, passphrase)
}

/// Whether exactly one PEM block begins on this line, and it is a private key.
fn is_first_line(line: &[u8]) -> bool {
    let first = b"-----BEGIN ";
    line.starts_with(first)
        && line.windows(first.len()).filter(|window| window == first).count() == 1
        && line.windows(11).any(|window| window == b"PRIVATE KEY")
}

/// Reads the only private key among the blocks. Certificates, public keys and parameters are ignored.
fn from_pem(text: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, SignerError> {
    let malformed = SignerError::NotPrivateKey;
    let blocks = pem::blocks(text).map_err(malformed)?;
    let is_private = |block: &&pem::Block<'_>| block.label.contains("PRIVATE KEY");
    let mut keys = blocks.iter().filter(is_private);
    match (keys.next(), keys.count()) {
        (Some(block), 0) => match block.label {
            "RSA PRIVATE KEY" | "PRIVATE KEY" if block.is_encrypted() => {
                Err(SignerError::TraditionalEncryption)
            }
            "RSA PRIVATE KEY" | "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => {
                der::read(&block.der().map_err(malformed)?, passphrase)
            }
            "OPENSSH PRIVATE KEY" => Err(foreign::openssh(&block.der().map_err(malformed)?)),
            label => Err(foreign::label(label)),
        },
        (Some(_), others) => {
            let split = "csplit -z -f key- -b %02d.pem FILE '/-----BEGIN .*PRIVATE KEY/' '{*}'";
            let count = others + 1;
            let lines = text.split(|byte| *byte == b'\n').filter(|line| is_first_line(line)).count();
            Err(SignerError::SeveralKeys { count, split: (lines == count).then_some(split) })
        }
        (None, _) => Err(foreign::label(blocks.first().map_or("", |block| block.label))),
    }
}
