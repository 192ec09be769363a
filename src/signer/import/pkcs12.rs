//! PKCS#12 (RFC 7292) that wraps encrypted PKCS#8, as OpenSSL 3 and Java write it.
//!
//! The checksum of the file is not verified: the padding shows whether the passphrase is right, and the key is
//! checked like every other key.

use pkcs8::der::{self, Decode, Reader, SliceReader, asn1::AnyRef};

use crate::signer::SignerError;

/// The only private key of a file, as PKCS#8, encrypted or not.
pub(super) fn only_key(file: &[u8]) -> Result<&[u8], SignerError> {
    let Some(Content { keys, encrypted_parts }) = content(file) else { return Err(unread(file)) };
    match keys.as_slice() {
        // Some programs put the key into an encrypted part, among the certificates.
        [] if encrypted_parts > 0 => Err(unread(file)),
        [] => Err(SignerError::OnlyPublic("PKCS#12 file with certificates only")),
        [key] => Ok(key),
        keys => Err(SignerError::SeveralKeys { count: keys.len(), split: Some(SPLIT) }),
    }
}

const SPLIT: &str = "openssl pkcs12 -in FILE -nodes -nocerts | csplit -z -f key- -b %02d.pem - \
                     '/-----BEGIN .*PRIVATE KEY/' '{*}'";

/// The error for a file that openssl reads, but this module does not.
pub(super) fn unread(file: &[u8]) -> SignerError {
    // pbeWithSHAAnd128BitRC4 to pbeWithSHAAnd40BitRC2-CBC, except triple DES.
    let is_in = |last: u8| {
        let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, last];
        file.windows(oid.len()).any(|window| window == oid)
    };
    let convert = if [1, 2, 5, 6].into_iter().any(is_in) {
        "openssl pkcs12 -legacy -in FILE -nodes -nocerts -out converted.pem"
    } else {
        "openssl pkcs12 -in FILE -nodes -nocerts -out converted.pem"
    };
    SignerError::Foreign { form: "PKCS#12 in an unsupported form", convert }
}

struct Content<'a> {
    /// PKCS#8, each encrypted or not.
    keys: Vec<&'a [u8]>,
    encrypted_parts: usize,
}

/// `data` and `encryptedData` (RFC 5652), `keyBag` and `pkcs8ShroudedKeyBag`, without their tags.
const DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
const ENCRYPTED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06";
const KEY_BAG: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x01";
const SHROUDED_KEY_BAG: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02";

fn content(file: &[u8]) -> Option<Content<'_>> {
    let mut content = Content { keys: Vec::new(), encrypted_parts: 0 };
    let file = AnyRef::from_der(file).ok()?;
    let safes = data(parts(file.value())?.get(1)?.value())??;
    for part in parts(AnyRef::from_der(safes).ok()?.value())? {
        match data(part.value())? {
            None => content.encrypted_parts += 1,
            Some(bags) => {
                for bag in parts(AnyRef::from_der(bags).ok()?.value())? {
                    let bag = parts(bag.value())?;
                    if matches!(bag.first()?.value(), KEY_BAG | SHROUDED_KEY_BAG) {
                        content.keys.push(bag.get(1)?.value());
                    }
                }
            }
        }
    }
    Some(content)
}

/// The octets of a `ContentInfo` that holds data: `Some(None)` if it is encrypted, `None` if it is neither.
fn data(content_info: &[u8]) -> Option<Option<&[u8]>> {
    let fields = parts(content_info)?;
    match fields.first()?.value() {
        DATA => {
            let octets = AnyRef::from_der(fields.get(1)?.value()).ok()?;
            Some(Some(octets.value()))
        }
        ENCRYPTED_DATA => Some(None),
        _ => None,
    }
}

fn parts(value: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let parts = || {
        let mut reader = SliceReader::new(value)?;
        let mut parts = Vec::new();
        while !reader.is_finished() {
            parts.push(AnyRef::decode(&mut reader)?);
        }
        Ok::<_, der::Error>(parts)
    };
    parts().ok()
}
