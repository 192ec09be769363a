//! The encodings of a digest as a number: EMSA-PKCS1-v1_5 and EMSA-PSS (RFC 8017, section 9).
//!
//! Encoded messages have the length of the modulus, whose highest bit is set.

use crate::scheme::{Hash, MAX_DIGEST};

/// The DER of DigestInfo up to the digest (RFC 8017, section 9.2, note 1).
fn digest_info(hash: Hash) -> [u8; 19] {
    let (oid, len) = match hash {
        Hash::Sha256 => (1, 32),
        Hash::Sha384 => (2, 48),
        Hash::Sha512 => (3, 64),
    };
    [
        0x30,
        17 + len,
        0x30,
        0x0d,
        0x06,
        0x09,
        0x60,
        0x86,
        0x48,
        0x01,
        0x65,
        0x03,
        0x04,
        0x02,
        oid,
        0x05,
        0x00,
        0x04,
        len,
    ]
}

/// EMSA-PKCS1-v1_5-ENCODE, for a digest of the hash function.
pub(crate) fn pkcs1v15(hash: Hash, digest: &[u8], encoded: &mut [u8]) {
    let info = digest_info(hash);
    let separator = encoded.len() - digest.len() - info.len() - 1;
    let (padding, rest) = encoded.split_at_mut(separator);
    padding.fill(0xff);
    (padding[0], padding[1], rest[0]) = (0, 1, 0);
    rest[1..=info.len()].copy_from_slice(&info);
    rest[1 + info.len()..].copy_from_slice(digest);
}

/// EMSA-PSS-ENCODE, for a digest and a salt of the hash function's length.
pub(crate) fn pss(hash: Hash, digest: &[u8], salt: &[u8], encoded: &mut [u8]) {
    let mut h = [0; MAX_DIGEST];
    hash.digest(&[&[0; 8], digest, salt], &mut h);
    let (db, end) = encoded.split_at_mut(encoded.len() - hash.digest_len() - 1);
    let separator = db.len() - salt.len() - 1;
    db[..separator].fill(0);
    db[separator] = 1;
    db[separator + 1..].copy_from_slice(salt);
    end[..hash.digest_len()].copy_from_slice(&h[..hash.digest_len()]);
    end[hash.digest_len()] = 0xbc;
    add_mask(hash, &h[..hash.digest_len()], db);
    db[0] &= 0x7f;
}

/// EMSA-PSS-VERIFY, with a salt as long as the digest.
pub(crate) fn is_pss_of(hash: Hash, digest: &[u8], encoded: &mut [u8]) -> bool {
    let (db, end) = encoded.split_at_mut(encoded.len() - hash.digest_len() - 1);
    let (h, trailer) = end.split_at(hash.digest_len());
    if trailer != [0xbc] || db[0] & 0x80 != 0 {
        return false;
    }
    add_mask(hash, h, db);
    db[0] &= 0x7f;
    let (padding, salt) = db.split_at(db.len() - hash.digest_len());
    let Some((&1, zeros)) = padding.split_last() else { return false };
    let mut expected = [0; MAX_DIGEST];
    hash.digest(&[&[0; 8], digest, salt], &mut expected);
    zeros.iter().all(|byte| *byte == 0) && h == &expected[..hash.digest_len()]
}

/// Adds MGF1 of the seed, bit by bit (RFC 8017, appendix B.2.1).
fn add_mask(hash: Hash, seed: &[u8], data: &mut [u8]) {
    let mut mask = [0; MAX_DIGEST];
    for (counter, block) in (0_u32..).zip(data.chunks_mut(hash.digest_len())) {
        hash.digest(&[seed, &counter.to_be_bytes()], &mut mask);
        block.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
}
