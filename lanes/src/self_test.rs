//! Known answers, computed on this machine before the engine is used.

use sha2::{Digest, Sha256, Sha512};

use crate::{Components, LANES, PrivateKey, PublicKey, SelfTestFailed};

/// A test key, and the SHA-256 of what it makes of [`inputs`]. The answers were computed with Python's integers.
struct KnownAnswer {
    bits: usize,
    /// n, p, q, dP, dQ, qInv and the hash, one after the other.
    bytes: &'static [u8],
}

const KNOWN_ANSWERS: [KnownAnswer; 3] = [
    KnownAnswer { bits: 2048, bytes: include_bytes!("known_answers/2048.bin") },
    KnownAnswer { bits: 3072, bytes: include_bytes!("known_answers/3072.bin") },
    KnownAnswer { bits: 4096, bytes: include_bytes!("known_answers/4096.bin") },
];

/// Raises numbers to the private and to the public exponent with a known key of each size, and compares the results with known
/// answers. This uses every kernel. It takes about 20 ms.
///
/// # Errors
/// When a result is wrong, or the processor lacks what the engine needs.
pub fn self_test() -> Result<(), SelfTestFailed> {
    let wrong = KNOWN_ANSWERS.iter().find(|known| known.computed().is_none());
    wrong.map_or(Ok(()), |known| Err(SelfTestFailed { bits: known.bits }))
}

impl KnownAnswer {
    /// `None` if anything differs.
    fn computed(&self) -> Option<()> {
        let len = self.bits / 8;
        let (n, rest) = self.bytes.split_at(len);
        let mut halves = rest.chunks(len / 2);
        let [p, q, dp, dq, qinv] = [(); 5].map(|()| halves.next().unwrap_or_default());
        let (e, hash) = ([1, 0, 1], halves.next()?);
        let key = PrivateKey::new(&Components { n, e: &e, p, q, dp, dq, qinv }).ok()?;
        let numbers = inputs(len);
        let mut results = vec![0; numbers.len()];
        key.exponentiate(&numbers, &mut results).ok()?;
        let mut back = vec![0; numbers.len()];
        let below = PublicKey::new(n, &e).ok()?.exponentiate(&results, &mut back);
        (Sha256::digest(&results)[..] == *hash && below == [true; LANES] && back == numbers).then_some(())
    }
}

/// Eight numbers below 2^(8·(`len` - 1)): SHA-512 of a counter, again and again, with a first byte of 0.
fn inputs(len: usize) -> Vec<u8> {
    let mut numbers = vec![0; LANES * len];
    for (counter, block) in (0_u32..).zip(numbers.chunks_mut(64)) {
        block.copy_from_slice(&Sha512::digest(counter.to_be_bytes()));
    }
    numbers.chunks_exact_mut(len).for_each(|number| number[0] = 0);
    numbers
}
