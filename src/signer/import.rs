//! Private keys from outside: which forms are read, and what is said about all others.

use pkcs8::{
    EncryptedPrivateKeyInfo,
    der::{Decode, ErrorKind, Reader, SliceReader, Tag, Tagged, asn1::AnyRef},
    pkcs5::{EncryptionScheme, pbes2},
};
use zeroize::Zeroizing;

use super::{PrivateKey, SignerError, check, pem};

/// The most that is read: an encrypted key of 8192 bits in PEM has some 6500 bytes.
const MAX_INPUT: usize = 64 * 1024;
/// PBKDF2 rounds that take seconds; openssl's default is 2048, OWASP recommends 600,000.
const MAX_ITERATIONS: u32 = 10_000_000;
/// Memory for scrypt (128·N·r); openssl's default takes 16 MiB.
const MAX_SCRYPT_MEMORY: u64 = 256 * 1024 * 1024;

/// Reads a private key: PKCS#1 or PKCS#8, in PEM or DER; PKCS#8 may be encrypted (PBES2 with PBKDF2 or scrypt,
/// and AES in CBC mode; RFC 8018, RFC 7914). A passphrase that is not needed is ignored.
///
/// # Errors
/// When it is not such a key, does not open, or must not be used ([`Refused`](SignerError::Refused), with the
/// reason).
pub fn import(bytes: &[u8], passphrase: Option<&str>) -> Result<PrivateKey, SignerError> {
    if bytes.len() > MAX_INPUT {
        return Err(SignerError::InputTooLarge { limit: MAX_INPUT });
    }
    let key = match pem::decode(bytes) {
        Some(block) => from_pem(&block.map_err(SignerError::NotPrivateKey)?, passphrase)?,
        None => from_der(bytes, passphrase)?,
    };
    check::private_key(&key)?;
    Ok(key)
}

fn from_pem(block: &pem::Block<'_>, passphrase: Option<&str>) -> Result<PrivateKey, SignerError> {
    match block.label {
        "RSA PRIVATE KEY" | "PRIVATE KEY" if block.encrypted => Err(SignerError::TraditionalEncryption),
        "RSA PRIVATE KEY" | "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => from_der(&block.der, passphrase),
        "PUBLIC KEY" | "RSA PUBLIC KEY" => Err(SignerError::OnlyPublic("public key")),
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
            Err(SignerError::OnlyPublic("certificate"))
        }
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
            Err(SignerError::OnlyPublic("certificate request"))
        }
        "EC PRIVATE KEY" => Err(SignerError::NotRsa("EC")),
        "DSA PRIVATE KEY" => Err(SignerError::NotRsa("DSA")),
        "OPENSSH PRIVATE KEY" => Err(SignerError::NotPrivateKey(
            "it is in OpenSSH's own form, which 'ssh-keygen -p -m PKCS8 -f COPY' rewrites",
        )),
        _ => Err(SignerError::NotPrivateKey("its PEM label is not that of a key")),
    }
}

fn from_der(der: &[u8], passphrase: Option<&str>) -> Result<PrivateKey, SignerError> {
    match form(der)? {
        Form::Pkcs1 => PrivateKey::from_pkcs1(der),
        Form::Pkcs8 => PrivateKey::from_pkcs8(der),
        Form::Encrypted => {
            let passphrase = passphrase.ok_or(SignerError::PassphraseNeeded)?;
            let plain = decrypt(der, passphrase)?;
            // A wrong passphrase leaves a plausible padding once in 256 times.
            match form(&plain) {
                Ok(Form::Pkcs8) => PrivateKey::from_pkcs8(&plain),
                _ => Err(SignerError::WrongPassphrase),
            }
        }
        Form::PublicKey => Err(SignerError::OnlyPublic("public key")),
        Form::Certificate => Err(SignerError::OnlyPublic("certificate")),
    }
}

/// What a DER document is, by the tags of its first parts.
enum Form {
    Pkcs1,
    Pkcs8,
    Encrypted,
    PublicKey,
    Certificate,
}

fn form(der: &[u8]) -> Result<Form, SignerError> {
    // A text may look like DER that ends too early or goes on.
    if der.first().is_some_and(|tag| *tag != u8::from(Tag::Sequence)) {
        return Err(SignerError::NotPrivateKey("it is neither PEM nor DER of a key"));
    }
    let outer = AnyRef::from_der(der).map_err(|error| {
        SignerError::NotPrivateKey(match error.kind() {
            ErrorKind::TrailingData { .. } => "it goes on after its end",
            ErrorKind::Incomplete { .. } => "it ends too early",
            _ => "it is neither PEM nor DER of a key",
        })
    })?;
    let tags = || {
        let mut parts = SliceReader::new(outer.value())?;
        Ok::<_, pkcs8::der::Error>((AnyRef::decode(&mut parts)?.tag(), parts.peek_tag()?))
    };
    match tags() {
        Ok((Tag::Integer, Tag::Integer)) => Ok(Form::Pkcs1),
        Ok((Tag::Integer, Tag::Sequence)) => Ok(Form::Pkcs8),
        Ok((Tag::Sequence, Tag::OctetString)) => Ok(Form::Encrypted),
        Ok((Tag::Sequence, Tag::BitString)) => Ok(Form::PublicKey),
        Ok((Tag::Sequence, Tag::Sequence)) => Ok(Form::Certificate),
        _ => Err(SignerError::NotPrivateKey("it is DER of something else")),
    }
}

fn decrypt(der: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, SignerError> {
    let info = EncryptedPrivateKeyInfo::from_der(der)
        .map_err(|_| SignerError::UnsupportedEncryption("neither PBKDF2 nor scrypt with AES-CBC"))?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(SignerError::UnsupportedEncryption("PBES1"));
    };
    bound(&parameters.kdf)?;
    // What was asked for is known to be supported, so what fails here is the padding.
    parameters
        .decrypt(passphrase, info.encrypted_data)
        .map(Zeroizing::new)
        .map_err(|_| SignerError::WrongPassphrase)
}

/// A hostile file must not make the import hang or run out of memory.
fn bound(kdf: &pbes2::Kdf<'_>) -> Result<(), SignerError> {
    match kdf {
        pbes2::Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count > MAX_ITERATIONS => {
            Err(SignerError::CostTooHigh("PBKDF2 rounds"))
        }
        pbes2::Kdf::Scrypt(scrypt) => {
            let (n, r, p) = (scrypt.cost_parameter, scrypt.block_size, scrypt.parallelization);
            if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
                return Err(SignerError::UnsupportedEncryption("impossible scrypt parameters"));
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
