//! DER, the binary form of keys.

use pkcs8::der::{self, Decode, ErrorKind, Reader, SliceReader, Tag, Tagged, asn1::AnyRef};

use super::{encrypted, pkcs12};
use crate::signer::{PrivateKey, SignerError};

/// Reads a private key.
pub(super) fn read(der: &[u8], passphrase: Option<&[u8]>) -> Result<PrivateKey, SignerError> {
    match form(der)? {
        Form::Pkcs1 => PrivateKey::from_pkcs1(der),
        Form::Pkcs8 => PrivateKey::from_pkcs8(der),
        Form::Encrypted => {
            let plain = encrypted::open(der, passphrase)?;
            // With a wrong passphrase, the padding is valid by chance once in 256 times.
            match form(&plain) {
                Ok(Form::Pkcs8) => PrivateKey::from_pkcs8(&plain),
                _ => Err(SignerError::WrongPassphrase),
            }
        }
        Form::Pkcs12 => read(pkcs12::only_key(der)?, passphrase).map_err(|error| match error {
            SignerError::UnsupportedEncryption { .. } => pkcs12::unread(der),
            other => other,
        }),
        Form::Sec1 => Err(SignerError::NotRsa("EC")),
        Form::PublicKey => Err(SignerError::OnlyPublic("public key")),
        Form::Certificate => Err(SignerError::OnlyPublic("certificate")),
        Form::Pkcs7 => Err(SignerError::OnlyPublic("PKCS#7 file with certificates")),
    }
}

/// Whether the document is a private key, or may contain private keys.
pub(super) fn is_private(der: &[u8]) -> bool {
    matches!(form(der), Ok(Form::Pkcs1 | Form::Pkcs8 | Form::Encrypted | Form::Pkcs12))
}

/// The kind of a DER document, judged by its first parts.
enum Form {
    Pkcs1,
    Pkcs8,
    Encrypted,
    Pkcs12,
    Sec1,
    PublicKey,
    Certificate,
    Pkcs7,
}

fn form(der: &[u8]) -> Result<Form, SignerError> {
    // Without this check, some texts would be reported as DER that is truncated or has trailing data.
    if der.first().is_some_and(|tag| *tag != u8::from(Tag::Sequence)) {
        return Err(SignerError::NotPrivateKey("it is neither PEM nor DER of a key"));
    }
    if is_pkcs12_in_ber(der) {
        return Err(pkcs12::unread(der));
    }
    if is_ber(der) {
        return Err(SignerError::Foreign {
            form: "BER where DER is needed",
            convert: "openssl rsa -in FILE -out converted.pem",
        });
    }
    let outer = AnyRef::from_der(der).map_err(|error| {
        SignerError::NotPrivateKey(match error.kind() {
            ErrorKind::TrailingData { .. } => "it has trailing data after its end",
            ErrorKind::Incomplete { .. } => "it ends too early",
            _ => "it is neither PEM nor DER of a key",
        })
    })?;
    let first_parts = || {
        let mut parts = SliceReader::new(outer.value())?;
        let (first, second) = (AnyRef::decode(&mut parts)?, AnyRef::decode(&mut parts)?);
        Ok::<_, der::Error>((first, second.tag(), parts.is_finished()))
    };
    let Ok((first, second, are_all)) = first_parts() else {
        return Err(SignerError::NotPrivateKey("it is DER, but not of a key"));
    };
    match (first.tag(), second) {
        (Tag::Integer, Tag::Integer) if are_all => Ok(Form::PublicKey),
        (Tag::Integer, Tag::Integer) => Ok(Form::Pkcs1),
        (Tag::Integer, Tag::Sequence) if first.value() == [3] => Ok(Form::Pkcs12),
        (Tag::Integer, Tag::Sequence) => Ok(Form::Pkcs8),
        (Tag::Integer, Tag::OctetString) => Ok(Form::Sec1),
        (Tag::Sequence, Tag::OctetString) => Ok(Form::Encrypted),
        (Tag::Sequence, Tag::BitString) => Ok(Form::PublicKey),
        (Tag::Sequence, Tag::Sequence) => Ok(Form::Certificate),
        (Tag::ObjectIdentifier, Tag::ContextSpecific { .. }) => Ok(Form::Pkcs7),
        _ => Err(SignerError::NotPrivateKey("it is DER, but not of a key")),
    }
}

/// Whether the length is indefinite, or encoded in more bytes than needed.
fn is_ber(der: &[u8]) -> bool {
    match der {
        [_, 0x80, ..] | [_, 0x82..=0xff, 0, ..] => true,
        [_, 0x81, length, ..] => *length < 0x80,
        _ => false,
    }
}

/// Whether the length is indefinite and the version is 3. Browsers and Windows write PKCS#12 like this.
fn is_pkcs12_in_ber(der: &[u8]) -> bool {
    is_ber(der) && der.get(2..5) == Some(&[2, 1, 3])
}
