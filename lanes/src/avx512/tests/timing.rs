//! Whether the time of a signature depends on a secret, in the manner of dudect (Reparaz, Balasch and Verbauwhede, 2017).
//!
//! Two classes of keys, or of messages, are signed with in random order: always the same one, and another one each time. Welch's t-test
//! compares the times of the classes below several percentiles, because slow outliers come from elsewhere. With a leak, |t| grows
//! with the number of measurements.

use std::arch::x86_64::__rdtscp;

use super::random::{Random, count};
use crate::{
    Components,
    engine::{Cpu, leak, private::PrivateNumbers, vector::LANES},
};

type Numbers = PrivateNumbers<20, 40, 4, 5>;

/// Bytes of the modulus.
const LEN: usize = 256;

/// With as many measurements, |t| must stay below 5.
const LONG: usize = 1_000_000;

/// The numbers of a key: p, q, dP, dQ and qInv.
type Secrets = [Vec<u8>; 5];

/// Numbers that are shaped like those of a key. No result passes the check, which does not change what was computed before.
fn random_secrets(random: &mut Random) -> Secrets {
    std::array::from_fn(|_| {
        let mut number = vec![0; LEN / 2];
        random.fill(&mut number);
        number[0] |= 0xc0;
        number[LEN / 2 - 1] |= 1;
        number
    })
}

/// Secrets whose exponents consist of windows of 0.
fn weak_secrets(random: &mut Random) -> Secrets {
    let [p, q, _, _, qinv] = random_secrets(random);
    [p, q, vec![0; LEN / 2], vec![0; LEN / 2], qinv]
}

fn random_messages(random: &mut Random) -> Vec<u8> {
    let mut messages = vec![0; LANES * LEN];
    random.fill(&mut messages);
    messages.chunks_mut(LEN).for_each(|message| message[0] = 0);
    messages
}

/// Opens a key anew, so that both classes find the same places in the caches, and measures one operation with it.
fn ticks(cpu: Cpu, secrets: &Secrets, messages: &[u8]) -> f64 {
    let n = (num_bigint_dig::BigUint::from_bytes_be(&secrets[0])
        * num_bigint_dig::BigUint::from_bytes_be(&secrets[1]))
    .to_bytes_be();
    let [p, q, dp, dq, qinv] = secrets.each_ref().map(|number| &number[..]);
    let numbers = Numbers::new(cpu, &Components { n: &n, e: &[], p, q, dp, dq, qinv }, 65537).unwrap();
    let mut output = vec![0; LANES * LEN];
    // SAFETY: every x86-64 processor with AVX-512 has the instruction.
    let counter = || unsafe { __rdtscp(&mut 0) };
    let begun = counter();
    let result = numbers.exponentiate(cpu, messages, &mut output);
    let ended = counter();
    assert!(result.is_err(), "the key is not one");
    (ended - begun) as f64
}

/// Welch's t of the two classes, from the measurements below a percentile of all.
fn welch(measured: &[(bool, f64)], percent: usize) -> f64 {
    let mut sorted: Vec<f64> = measured.iter().map(|(_, ticks)| *ticks).collect();
    sorted.sort_by(f64::total_cmp);
    let limit = sorted[(sorted.len() - 1) * percent / 100];
    let [first, second] = [false, true].map(|class| {
        let of_class = measured.iter().filter(|(of, ticks)| *of == class && *ticks <= limit);
        of_class.map(|(_, ticks)| *ticks).collect::<Vec<f64>>()
    });
    if first.len().min(second.len()) < 2 {
        // Only one class is so fast.
        return f64::INFINITY;
    }
    let [(a, va), (b, vb)] = [first, second].map(|times| {
        let n = times.len() as f64;
        let mean = times.iter().sum::<f64>() / n;
        (mean, times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0) / n)
    });
    (a - b) / (va + vb).sqrt()
}

/// The t of the percentile at which |t| is greatest.
fn greatest_t(
    name: &str,
    measurements: usize,
    random: &mut Random,
    mut measure: impl FnMut(bool, &mut Random) -> f64,
) -> f64 {
    let mut measured = Vec::with_capacity(measurements);
    for _ in 0..measurements {
        let is_random = random.below(2) == 1;
        measured.push((is_random, measure(is_random, random)));
    }
    let values = [10, 20, 50, 80, 95, 100].map(|percent| welch(&measured, percent));
    println!("{name}: t = {values:.2?} with {measurements} measurements");
    values.into_iter().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or_default()
}

#[test]
fn the_time_of_a_signature_depends_neither_on_the_key_nor_on_the_messages() {
    let cpu = Cpu::detect().expect("this test needs a processor with AVX-512 IFMA");
    let mut random = Random::new();
    let measurements = count("TEST_MEASUREMENTS", 600);
    // Few measurements cannot find a small leak, and must not find one that is not there because the machine is busy.
    let limit = if measurements >= LONG { 5.0 } else { 10.0 };
    let (fixed_secrets, fixed_messages) = (random_secrets(&mut random), random_messages(&mut random));
    let weak_secrets = weak_secrets(&mut random);

    let of_keys = |fixed: &Secrets, is_random: bool, random: &mut Random| {
        // Both classes compute the same before they are measured.
        let other = random_secrets(random);
        ticks(cpu, if is_random { &other } else { fixed }, &fixed_messages)
    };
    let keys = greatest_t("a fixed key or random keys", measurements, &mut random, |is_random, random| {
        of_keys(&fixed_secrets, is_random, random)
    });
    let exponents =
        greatest_t("exponents of zeros or random ones", measurements, &mut random, |is_random, random| {
            of_keys(&weak_secrets, is_random, random)
        });
    let messages = greatest_t("fixed or random messages", measurements, &mut random, |is_random, random| {
        let other = random_messages(random);
        ticks(cpu, &fixed_secrets, if is_random { &other } else { &fixed_messages })
    });
    for t in [keys, exponents, messages] {
        assert!(t.abs() < limit, "the time depends on a secret: t = {t}");
    }

    leak::begin();
    let found =
        greatest_t("with a deliberate leak", measurements.min(600), &mut random, |is_random, random| {
            of_keys(&weak_secrets, is_random, random)
        });
    leak::end();
    assert!(found.abs() > limit, "the test does not find a leak: t = {found}");
    println!("measured: t {keys:.2} keys, {exponents:.2} exponents, {messages:.2} messages, {found:.2} leak");
}
