//! Encodings of RFC 8017: almost right ones, and their salts.

use std::collections::HashSet;

use aws_lc_rs::digest;
use num_bigint_dig::BigUint;
use signwave_lanes::{Hash, LANES, Padding, Scheme};

use super::{Opened, common::random::Random};

#[test]
fn encodings_that_are_almost_right_are_not_valid() {
    let mut random = Random::new();
    let opened = Opened::generate(2048, &mut random);
    let n = &opened.key.numbers.n;
    let verdicts = |padding, digest: &[u8], encodings: [Vec<u8>; LANES]| {
        let encoded = encodings.concat();
        let mut signatures = vec![0; encoded.len()];
        opened.private.exponentiate(&encoded, &mut signatures).unwrap();
        let signatures: [&[u8]; LANES] = std::array::from_fn(|lane| &signatures[lane * 256..][..256]);
        opened.public.verify(Scheme { padding, hash: Hash::Sha256 }, &[digest; LANES], &signatures)
    };
    let first_only = std::array::from_fn(|lane| lane == 0);
    let (mut digest, mut salt) = ([0; 32], [0; 33]);
    // The highest bit may only be set if the number stays below the modulus.
    let (right, with_highest_bit) = loop {
        random.fill(&mut digest);
        random.fill(&mut salt);
        let right = pss_encoded(&digest, &with_one(191), &salt[..32], 0xbc);
        let highest = changed(&right, 0, 0x80);
        if BigUint::from_bytes_be(&highest) < *n {
            break (right, highest);
        }
    };
    let lone = |at: usize, byte: u8| {
        let mut padding = with_one(191);
        padding[at] = byte;
        padding
    };
    let encodings = [
        right,
        with_highest_bit,
        pss_encoded(&digest, &with_one(191), &salt[..32], 0xbd),
        pss_encoded(&digest, &lone(1, 1), &salt[..32], 0xbc),
        pss_encoded(&digest, &lone(190, 2), &salt[..32], 0xbc),
        // Salts that are a byte too short and too long.
        pss_encoded(&digest, &with_one(192), &salt[..31], 0xbc),
        pss_encoded(&digest, &with_one(190), &salt, 0xbc),
        changed(&pss_encoded(&digest, &with_one(191), &salt[..32], 0xbc), 254, 1),
    ];
    assert_eq!(verdicts(Padding::Pss, &digest, encodings), first_only, "RSASSA-PSS");
    // A digest of another length is not valid, even if it is the one that was encoded.
    let short = &digest[..31];
    let encoded = pss_encoded(short, &with_one(191), &salt[..32], 0xbc);
    assert_eq!(verdicts(Padding::Pss, short, [(); LANES].map(|()| encoded.clone())), [false; LANES]);

    // The DER of DigestInfo with SHA-256 (RFC 8017, section 9.2, note 1).
    let info = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    let right = [&[0, 1][..], &[0xff; 202], &[0], info, &digest].concat();
    let encodings = [
        right.clone(),
        changed(&right, 1, 3),
        changed(&right, 2, 1),
        changed(&right, 203, 1),
        changed(&right, 204, 1),
        changed(&right, 205, 1),
        changed(&right, 223, 1),
        changed(&right, 255, 1),
    ];
    assert_eq!(verdicts(Padding::Pkcs1v15, &digest, encodings), first_only, "RSASSA-PKCS1-v1_5");
}

#[test]
fn every_signature_has_another_salt_from_the_source_of_chance() {
    let mut random = Random::new();
    let opened = Opened::generate(2048, &mut random);
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let (digest, mut seen, mut asked) = (vec![1; hash.digest_len()], HashSet::new(), Vec::new());
        for _ in 0..2 {
            let mut signatures = vec![0; LANES * 256];
            let mut salts = |buffer: &mut [u8]| {
                random.fill(buffer);
                asked.push(buffer.len());
                Ok(())
            };
            let scheme = Scheme { padding: Padding::Pss, hash };
            opened.private.sign(scheme, &[&digest; LANES], &mut salts, &mut signatures).unwrap();
            seen.extend(signatures.chunks(256).map(<[u8]>::to_vec));
        }
        assert_eq!(seen.len(), 2 * LANES, "{hash:?}");
        assert_eq!(asked, [LANES * hash.digest_len(); 2], "{hash:?}");
    }
}

/// Another encoding: bits of one byte are flipped.
fn changed(encoded: &[u8], at: usize, bits: u8) -> Vec<u8> {
    let mut changed = encoded.to_vec();
    changed[at] ^= bits;
    changed
}

/// Zeros up to the byte 1.
fn with_one(len: usize) -> Vec<u8> {
    [vec![0; len - 1], vec![1]].concat()
}

/// EMSA-PSS-ENCODE for SHA-256, with what a correct encoding has: zeros, the byte 1, the salt and the trailer.
fn pss_encoded(digest: &[u8], padding: &[u8], salt: &[u8], trailer: u8) -> Vec<u8> {
    let h = digest::digest(&digest::SHA256, &[&[0; 8], digest, salt].concat());
    let mut encoded = [padding, salt].concat();
    for (counter, block) in (0_u32..).zip(encoded.chunks_mut(32)) {
        let mask = digest::digest(&digest::SHA256, &[h.as_ref(), &counter.to_be_bytes()].concat());
        block.iter_mut().zip(mask.as_ref()).for_each(|(byte, mask)| *byte ^= mask);
    }
    encoded[0] &= 0x7f;
    encoded.extend_from_slice(h.as_ref());
    encoded.push(trailer);
    encoded
}
