//! Private keys as stored in the database: encrypted, and bound to their name and their master key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::{MasterKey, MasterKeyId, PrivateKey, SignerError};
use crate::domain::Fingerprint;

/// The first byte of a blob names its form. Version 1 is AES-256-GCM (NIST SP 800-38D) with a random nonce of
/// 96 bits, as version | id of the master key | nonce | ciphertext | tag.
const VERSION: u8 = 1;
/// The purpose of the blob. It is part of the associated data, so that the blob decrypts in no other place.
const CONTEXT: &[u8] = b"signwave sealed private key";

/// Encrypts a key under the master key. Sealing a key twice gives two different blobs.
///
/// # Errors
/// When the random generator or the cipher fails.
pub fn seal(master: &MasterKey, key: &PrivateKey) -> Result<Vec<u8>, SignerError> {
    encrypt(master, &key.public_key().fingerprint(), key.pkcs8())
}

/// Decrypts the key called `fingerprint`.
///
/// # Errors
/// [`WrongMasterKey`](SignerError::WrongMasterKey) when the blob was sealed under another master key,
/// [`Damaged`](SignerError::Damaged) when it does not decrypt, because it belongs to another fingerprint or was changed.
pub fn unseal(
    master: &MasterKey,
    fingerprint: &Fingerprint,
    sealed: &[u8],
) -> Result<PrivateKey, SignerError> {
    let key = PrivateKey::from_pkcs8(&decrypt(master, fingerprint, sealed)?)?;
    if key.public_key().fingerprint() != *fingerprint {
        return Err(SignerError::Mismatch { fingerprint: *fingerprint, part: "private key" });
    }
    Ok(key)
}

/// Encrypts the sealed key called `fingerprint` under the master key `to` in the place of `from`. The key itself is not
/// parsed, so that thousands of keys take less than a second.
///
/// # Errors
/// As [`unseal`] and [`seal`].
pub(super) fn reseal(
    from: &MasterKey,
    to: &MasterKey,
    fingerprint: &Fingerprint,
    sealed: &[u8],
) -> Result<Vec<u8>, SignerError> {
    encrypt(to, fingerprint, &decrypt(from, fingerprint, sealed)?)
}

/// The id of the master key that sealed the key called `fingerprint`.
///
/// # Errors
/// [`SealedForm`](SignerError::SealedForm) when the form is unknown.
pub(super) fn sealed_under(fingerprint: &Fingerprint, sealed: &[u8]) -> Result<MasterKeyId, SignerError> {
    parse(fingerprint, sealed).map(|parts| parts.master)
}

/// The parts of a blob after its version.
pub(super) struct Parts<'a> {
    /// The id of the master key that sealed it.
    pub(super) master: MasterKeyId,
    nonce: &'a [u8; NONCE_LEN],
    /// The ciphertext and the tag.
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    /// The parts, or why the form is unknown.
    pub(super) fn of(sealed: &'a [u8]) -> Result<Self, &'static str> {
        let (version, rest) = sealed.split_first().ok_or("it is empty")?;
        if *version != VERSION {
            return Err("its version is unknown");
        }
        let (master, rest) = rest.split_first_chunk().ok_or("it is too short")?;
        let (nonce, body) = rest.split_first_chunk().ok_or("it is too short")?;
        Ok(Self { master: MasterKeyId(*master), nonce, body })
    }
}

fn parse<'a>(fingerprint: &Fingerprint, sealed: &'a [u8]) -> Result<Parts<'a>, SignerError> {
    Parts::of(sealed).map_err(|reason| SignerError::SealedForm { fingerprint: *fingerprint, reason })
}

fn encrypt(master: &MasterKey, fingerprint: &Fingerprint, pkcs8: &[u8]) -> Result<Vec<u8>, SignerError> {
    encrypt_as(master, CONTEXT, &fingerprint.0, pkcs8).ok_or(SignerError::Seal(*fingerprint))
}

/// PKCS#8 DER.
fn decrypt(
    master: &MasterKey,
    fingerprint: &Fingerprint,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SignerError> {
    let parts = parse(fingerprint, sealed)?;
    if parts.master != master.id() {
        let (fingerprint, given) = (*fingerprint, vec![master.id()]);
        return Err(SignerError::WrongMasterKey { fingerprint, sealed_under: parts.master, given });
    }
    decrypt_as(master, CONTEXT, &fingerprint.0, &parts).ok_or(SignerError::Damaged(*fingerprint))
}

/// Encrypts `plain`, which only the same master key, context and name decrypt; `None` when the random generator or the
/// cipher fails.
pub(super) fn encrypt_as(master: &MasterKey, context: &[u8], name: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let mut body = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
    body.extend_from_slice(plain);
    let id = master.id();
    let nonce = cipher(master)
        .and_then(|cipher| cipher.seal_in_place_append_tag(associated_data(context, id, name), &mut *body));
    Some([&[VERSION], id.0.as_slice(), nonce.ok()?.as_ref(), &body].concat())
}

/// Decrypts a blob; `None` when it was changed, or belongs to another master key, context or name.
pub(super) fn decrypt_as(
    master: &MasterKey,
    context: &[u8],
    name: &[u8],
    parts: &Parts<'_>,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut body = Zeroizing::new(parts.body.to_vec());
    let nonce = Nonce::assume_unique_for_key(*parts.nonce);
    let opened = cipher(master).and_then(|cipher| {
        cipher
            .open_in_place(nonce, associated_data(context, parts.master, name), &mut body)
            .map(|open| open.len())
    });
    body.truncate(opened.ok()?);
    Some(body)
}

fn cipher(master: &MasterKey) -> Result<RandomizedNonceKey, aws_lc_rs::error::Unspecified> {
    RandomizedNonceKey::new(&AES_256_GCM, master.bytes())
}

fn associated_data(context: &[u8], master: MasterKeyId, name: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([context, &[0, VERSION], &master.0, name].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::generate;

    #[test]
    fn a_key_that_was_sealed_under_a_wrong_name_does_not_open() {
        let (master, key) = (MasterKey::generate(), generate(2048).unwrap());
        let wrong = Fingerprint([7; 32]);
        let sealed = encrypt(&master, &wrong, key.pkcs8()).unwrap();
        let mismatch = SignerError::Mismatch { fingerprint: wrong, part: "private key" };
        assert_eq!(unseal(&master, &wrong, &sealed).unwrap_err(), mismatch);
    }
}
