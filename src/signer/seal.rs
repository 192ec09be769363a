//! Private keys as stored in the database: encrypted, and bound to their fingerprint.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::{MasterKey, PrivateKey, SignerError};
use crate::domain::Fingerprint;

/// The first byte of a blob names its form. Version 1 is AES-256-GCM (NIST SP 800-38D) with a random nonce of
/// 96 bits, as version | nonce | ciphertext | tag.
const VERSION: u8 = 1;
/// The purpose of the blob. It is part of the associated data, so that the blob decrypts in no other place.
const CONTEXT: &[u8] = b"signwave sealed private key";

/// Encrypts a key under the master key. Sealing a key twice gives two different blobs.
///
/// # Errors
/// When the random generator or the cipher fails.
pub fn seal(master: &MasterKey, key: &PrivateKey) -> Result<Vec<u8>, SignerError> {
    seal_as(key.public_key().fingerprint(), master, key)
}

fn seal_as(fingerprint: Fingerprint, master: &MasterKey, key: &PrivateKey) -> Result<Vec<u8>, SignerError> {
    let failed = |_| SignerError::Seal(fingerprint);
    let mut body = Zeroizing::new(Vec::with_capacity(key.pkcs8().len() + AES_256_GCM.tag_len()));
    body.extend_from_slice(key.pkcs8());
    let nonce = cipher(master)
        .and_then(|cipher| cipher.seal_in_place_append_tag(associated_data(&fingerprint), &mut *body))
        .map_err(failed)?;
    Ok([&[VERSION], nonce.as_ref().as_slice(), &body].concat())
}

/// Decrypts the key called `fingerprint`.
///
/// # Errors
/// [`WrongMasterKey`](SignerError::WrongMasterKey) when the blob does not decrypt: the master key is wrong, the
/// blob belongs to another fingerprint, or it is damaged. The cipher cannot tell which.
pub fn unseal(
    master: &MasterKey,
    fingerprint: &Fingerprint,
    sealed: &[u8],
) -> Result<PrivateKey, SignerError> {
    let form = |reason| SignerError::SealedForm { fingerprint: *fingerprint, reason };
    let (version, rest) = sealed.split_first().ok_or(form("it is empty"))?;
    if *version != VERSION {
        return Err(form("its version is unknown"));
    }
    let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(form("it is too short"))?;
    let mut body = Zeroizing::new(body.to_vec());
    let pkcs8 = cipher(master)
        .and_then(|cipher| {
            cipher.open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                associated_data(fingerprint),
                &mut body,
            )
        })
        .map_err(|_| SignerError::WrongMasterKey(*fingerprint))?;
    let key = PrivateKey::from_pkcs8(pkcs8)?;
    if key.public_key().fingerprint() != *fingerprint {
        return Err(SignerError::Mismatch { fingerprint: *fingerprint, part: "private key" });
    }
    Ok(key)
}

fn cipher(master: &MasterKey) -> Result<RandomizedNonceKey, aws_lc_rs::error::Unspecified> {
    RandomizedNonceKey::new(&AES_256_GCM, master.bytes())
}

fn associated_data(fingerprint: &Fingerprint) -> Aad<Vec<u8>> {
    Aad::from([CONTEXT, &[0, VERSION], &fingerprint.0].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::generate;

    #[test]
    fn a_key_that_was_sealed_under_a_wrong_name_does_not_open() {
        let (master, key) = (MasterKey::generate(), generate(2048).unwrap());
        let wrong = Fingerprint([7; 32]);
        let sealed = seal_as(wrong, &master, &key).unwrap();
        let mismatch = SignerError::Mismatch { fingerprint: wrong, part: "private key" };
        assert_eq!(unseal(&master, &wrong, &sealed).unwrap_err(), mismatch);
    }
}
