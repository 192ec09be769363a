//! Private keys from outside: which forms are read, and what is said about all others.

mod der;
mod encrypted;
mod foreign;
mod jwk;
mod pkcs12;
mod text;
mod xml;

use super::{PrivateKey, SignerError, check, pem};

/// The most that is read: room for a key and all the certificates that a system trusts.
const MAX_INPUT: usize = 1024 * 1024;

/// Reads a private key, in any of the forms in which programs keep RSA keys that can be read safely here:
///
/// - PKCS#1 or PKCS#8, in PEM or DER; PKCS#8 may be encrypted (PBES2 with PBKDF2 or scrypt, and AES in CBC
///   mode; RFC 8018, RFC 7914),
/// - PEM with other things around it: certificates, bag attributes, JSON, base64 once more,
/// - PKCS#12, encrypted like PKCS#8 (RFC 7292),
/// - a JSON Web Key (RFC 7517), .NET's XML.
///
/// Primes and CRT parameters that are missing are computed. A passphrase that is not needed is ignored.
///
/// # Errors
/// When it is not exactly one such key, does not open, or must not be used
/// ([`Refused`](SignerError::Refused), with the reason). A form that is known and not read is named, with the
/// command that converts it.
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
            // The commands of these are for the file as it is.
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

/// Whether one block of a private key begins on this line, and no other.
fn is_first_line(line: &[u8]) -> bool {
    let first = b"-----BEGIN ";
    line.starts_with(first)
        && line.windows(first.len()).filter(|window| window == first).count() == 1
        && line.windows(11).any(|window| window == b"PRIVATE KEY")
}

/// Takes the one private key among the blocks; certificates, public keys and parameters may be beside it.
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
