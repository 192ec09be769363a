//! Chance that can be replayed, and how often it is tried: like `tests/support` of the workspace, which depends on the product.

use std::time::Instant;

/// `TEST_SEED`, or another each time; printed.
pub fn seed() -> u64 {
    let fresh = || u64::from(std::process::id()) << 32 | u64::from(Instant::now().elapsed().subsec_nanos());
    let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(fresh);
    println!("TEST_SEED={seed}");
    seed
}

/// How often a test does what it does: `usual`, unless the variable says otherwise. Printed on a line of its own, so that
/// `scripts/torture` sees that it was taken.
pub fn count(variable: &str, usual: usize) -> usize {
    let count = std::env::var(variable).map_or(usual, |count| count.parse().expect("a count is a number"));
    println!("{variable}={count}");
    count
}

/// Pseudo-random numbers (splitmix64), so that a printed seed replays a test.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Seeded by `TEST_SEED`, or anew; printed.
    pub fn new() -> Self {
        Self(seed())
    }

    /// Any 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `below`, exclusively.
    pub fn below(&mut self, below: usize) -> usize {
        (self.bits() % below as u64) as usize
    }

    /// Fills a buffer.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let bits = self.bits().to_le_bytes();
            chunk.copy_from_slice(&bits[..chunk.len()]);
        }
    }
}
