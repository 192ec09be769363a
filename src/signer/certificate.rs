//! Certificates (RFC 5280): whose key a client's certificate names, and when the server's expires. Nothing else of a
//! client's is looked at, because a client is its key.

use std::time::Duration;

use pkcs8::der::{
    self, Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged,
    asn1::{AnyRef, GeneralizedTime, UtcTime},
};

use super::{SignerError, hash, pem};
use crate::domain::{DigestAlgorithm, Fingerprint};

/// The largest file that is read as a certificate.
const LIMIT: usize = 1 << 16;

/// The key of a certificate in PEM or DER: SHA-256 of its SubjectPublicKeyInfo. Of several certificates in PEM it is the
/// first, which is the client's.
///
/// # Errors
/// When `input` is something else, such as the private key.
pub fn certificate_key(input: &[u8]) -> Result<Fingerprint, SignerError> {
    let malformed = SignerError::MalformedCertificate;
    if input.len() > LIMIT || !pem::is_in(input) {
        return certificate_key_of_der(input);
    }
    let blocks = pem::blocks(input).map_err(malformed)?;
    let certificate = blocks.iter().find(|block| block.label == "CERTIFICATE");
    let certificate = certificate.ok_or(malformed("its PEM has no CERTIFICATE block"))?;
    certificate_key_of_der(&certificate.der().map_err(malformed)?)
}

/// The key of a certificate in DER: SHA-256 of its SubjectPublicKeyInfo.
///
/// # Errors
/// When `der` is not the DER of a certificate.
pub fn certificate_key_of_der(der: &[u8]) -> Result<Fingerprint, SignerError> {
    if der.len() > LIMIT {
        return Err(SignerError::MalformedCertificate("it has more than 65536 bytes"));
    }
    let spki = AnyRef::from_der(der).and_then(looked_at).and_then(|parts| parts.spki.to_der());
    let digest = hash::digest(DigestAlgorithm::Sha256, &spki.map_err(malformed)?);
    Ok(Fingerprint(digest.as_bytes().try_into().expect("SHA-256 has 32 bytes")))
}

/// When a certificate in DER expires (its `notAfter`), since 1970. Zero is any time before.
///
/// # Errors
/// When `der` is not the DER of a certificate.
pub fn certificate_expiry_of_der(der: &[u8]) -> Result<Duration, SignerError> {
    let validity = AnyRef::from_der(der).and_then(looked_at).map_err(malformed)?.validity;
    let not_after = validity.sequence(|times| {
        let _not_before: AnyRef<'_> = times.decode()?;
        let not_after: AnyRef<'_> = times.decode()?;
        match not_after.tag() {
            Tag::UtcTime => Ok(not_after.decode_as::<UtcTime>()?.to_unix_duration()),
            _ => Ok(not_after.decode_as::<GeneralizedTime>()?.to_unix_duration()),
        }
    });
    not_after.map_err(malformed)
}

fn malformed(_: der::Error) -> SignerError {
    SignerError::MalformedCertificate("its DER does not parse")
}

/// The parts of a certificate that are looked at.
struct Parts<'a> {
    validity: AnyRef<'a>,
    spki: AnyRef<'a>,
}

/// Section 4.1 of RFC 5280: the other parts are skipped without a look inside.
fn looked_at(certificate: AnyRef<'_>) -> der::Result<Parts<'_>> {
    certificate.sequence(|parts| {
        let to_be_signed: AnyRef<'_> = parts.decode()?;
        for tag in [Tag::Sequence, Tag::BitString] {
            expect(parts, tag)?;
        }
        inside(to_be_signed)
    })
}

fn inside(to_be_signed: AnyRef<'_>) -> der::Result<Parts<'_>> {
    to_be_signed.tag().assert_eq(Tag::Sequence)?;
    let mut parts = SliceReader::new(to_be_signed.value())?;
    let version = Tag::ContextSpecific { constructed: true, number: TagNumber::N0 };
    if parts.peek_byte() == Some(u8::from(version)) {
        expect(&mut parts, version)?;
    }
    // Serial number, algorithm, issuer.
    for tag in [Tag::Integer, Tag::Sequence, Tag::Sequence] {
        expect(&mut parts, tag)?;
    }
    let validity = expect(&mut parts, Tag::Sequence)?;
    expect(&mut parts, Tag::Sequence)?; // subject
    Ok(Parts { validity, spki: expect(&mut parts, Tag::Sequence)? })
}

fn expect<'a>(parts: &mut impl Reader<'a>, tag: Tag) -> der::Result<AnyRef<'a>> {
    let part: AnyRef<'a> = parts.decode()?;
    part.tag().assert_eq(tag)?;
    Ok(part)
}
