//! What the fuzzer runs; the product never enables the feature `fuzzing`. Each function panics when something does not hold.

use crate::{Components, LANES, PrivateKey, PublicKey, SignError, engine, self_test::KNOWN_ANSWERS};

/// The kernels of products and reductions, on operands made of the bytes.
pub fn kernels(bytes: &[u8]) {
    if let Some(cpu) = engine::Cpu::detect() {
        engine::fuzzing::kernels(cpu, bytes);
    }
}

/// A whole key, on numbers made of the bytes; then the key with a wrong bit.
pub fn keys(bytes: &[u8]) {
    let Some((&[which, part, at, bit], bytes)) = bytes.split_first_chunk() else { return };
    if !crate::is_supported() {
        return;
    }
    let known = &KNOWN_ANSWERS[usize::from(which) % KNOWN_ANSWERS.len()];
    let components = known.components();
    let len = components.n.len();
    let mut numbers: Vec<u8> = bytes.iter().copied().chain([0; 8]).cycle().take(LANES * len).collect();
    numbers.chunks_exact_mut(len).for_each(|number| number[0] = 0);
    let mut results = vec![0; LANES * len];
    let mut back = results.clone();
    let key = PrivateKey::new(&components).expect("a known key");
    key.exponentiate(&numbers, &mut results).expect("the key is consistent");
    let public_key = PublicKey::new(components.n, components.e).expect("a known key");
    assert_eq!(public_key.exponentiate(&results, &mut back), [true; LANES]);
    assert_eq!(back, numbers);

    let Components { n, e, p, q, dp, dq, qinv } = components;
    let mut secrets = [p, q, dp, dq, qinv].map(<[u8]>::to_vec);
    secrets[usize::from(part) % 5][usize::from(at) % (len / 2)] ^= 1 << (bit % 8);
    let [p, q, dp, dq, qinv] = secrets.each_ref().map(|number| &number[..]);
    if let Ok(key) = PrivateKey::new(&Components { n, e, p, q, dp, dq, qinv }) {
        let result = key.exponentiate(&numbers, &mut back);
        // Some numbers are raised rightly by any key: 0 and 1.
        assert!(result == Err(SignError::Fault) || back == results, "a wrong result came out");
    }
}
