//! Known answers, computed on this machine before the engine is used.

use sha2::{Digest, Sha256, Sha512};

use crate::{Components, LANES, PrivateKey, PublicKey, SelfTestFailed};

/// A test key, and the SHA-256 of what it makes of [`inputs`]. The answers were computed with Python's integers.
pub(crate) struct KnownAnswer {
    bits: usize,
    /// n, p, q, dP, dQ, qInv and the hash, one after the other.
    bytes: &'static [u8],
}

pub(crate) const KNOWN_ANSWERS: [KnownAnswer; 3] = [
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
    /// The key.
    pub(crate) fn components(&self) -> Components<'static> {
        let (n, rest) = self.bytes.split_at(self.bits / 8);
        let mut halves = rest.chunks(self.bits / 16);
        let [p, q, dp, dq, qinv] = [(); 5].map(|()| halves.next().unwrap_or_default());
        Components { n, e: &[1, 0, 1], p, q, dp, dq, qinv }
    }

    /// `None` if anything differs.
    fn computed(&self) -> Option<()> {
        let components = self.components();
        let numbers = inputs(self.bits / 8);
        let mut results = vec![0; numbers.len()];
        PrivateKey::new(&components).ok()?.exponentiate(&numbers, &mut results).ok()?;
        let mut back = vec![0; numbers.len()];
        let below = PublicKey::new(components.n, components.e).ok()?.exponentiate(&results, &mut back);
        let is_known = self.bytes.ends_with(&Sha256::digest(&results));
        (is_known && below == [true; LANES] && back == numbers).then_some(())
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
