//! What the fuzzer runs holds for random bytes.

use super::random::{Random, count};
use crate::fuzzing;

#[test]
fn kernels_and_keys_hold_for_random_bytes_of_any_length() {
    let mut random = Random::new();
    for _ in 0..count("TEST_RUNS", 200) {
        let mut bytes = vec![0; random.below(2048)];
        random.fill(&mut bytes);
        // Many bytes that make carries.
        bytes
            .iter_mut()
            .filter(|byte| **byte < 200)
            .for_each(|byte| *byte = if *byte < 100 { 0 } else { 0xff });
        fuzzing::kernels(&bytes);
        fuzzing::keys(&bytes);
    }
}
