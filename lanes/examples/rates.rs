//! Signatures per second against aws-lc, in turns: `cargo run --release -p signwave-lanes --example rates [ROUNDS [BITS]]`
//!
//! Each round signs the same eight digests with both libraries (RSASSA-PSS with SHA-256, salts and checks included), in the same
//! thread. The times are the processor time of the thread. It prints medians, and the tenth and ninetieth percentile of the ratio.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/common/mod.rs"]
mod common;

use std::{hint::black_box, thread, time::Instant};

use aws_lc_rs::{
    digest,
    rand::{SecureRandom, SystemRandom},
    signature::{KeyPair, ParsedPublicKey, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256},
};
use common::{keys::TestKey, random::Random};
use rustix::time::{ClockId, clock_gettime};
use signwave_lanes::{Hash, LANES, Padding, PrivateKey, PublicKey, Scheme};

const SCHEME: Scheme = Scheme { padding: Padding::Pss, hash: Hash::Sha256 };

/// Processor time of this thread in seconds.
fn now() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The percentile of numbers.
fn percentile(numbers: &mut [f64], percent: usize) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[(numbers.len() - 1) * percent / 100]
}

/// Seconds that both take for the same, in each round.
struct Turns {
    theirs: Vec<f64>,
    ours: Vec<f64>,
}

impl Turns {
    fn take(rounds: usize, mut theirs: impl FnMut(), mut ours: impl FnMut()) -> Self {
        let mut turns = Self { theirs: Vec::new(), ours: Vec::new() };
        for _ in 0..rounds {
            let begun = now();
            theirs();
            let between = now();
            ours();
            turns.theirs.push(between - begun);
            turns.ours.push(now() - between);
        }
        turns
    }

    fn print(mut self, what: &str) {
        let mut ratios: Vec<f64> =
            self.theirs.iter().zip(&self.ours).map(|(theirs, ours)| theirs / ours).collect();
        let rate = |times: &mut [f64]| LANES as f64 / percentile(times, 50);
        println!(
            "{what}: aws-lc {:.0}/s, lanes {:.0}/s, ratio {:.2} (10 %: {:.2}, 90 %: {:.2})",
            rate(&mut self.theirs),
            rate(&mut self.ours),
            percentile(&mut ratios, 50),
            percentile(&mut ratios, 10),
            percentile(&mut ratios, 90),
        );
    }
}

/// Groups per second on each of some threads, added.
fn rate_of_threads(threads: usize, groups: usize, sign: impl Fn() + Sync) -> f64 {
    thread::scope(|scope| {
        let work = || {
            let begun = Instant::now();
            (0..groups).for_each(|_| sign());
            groups as f64 / begun.elapsed().as_secs_f64()
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn measure(bits: usize, rounds: usize) {
    let (rng, len) = (SystemRandom::new(), bits / 8);
    let key = TestKey::generate(bits, &mut Random::new());
    let components = key.components();
    let mut openings: Vec<f64> = (0..50)
        .map(|_| {
            let begun = now();
            black_box(PrivateKey::new(&components).unwrap());
            now() - begun
        })
        .collect();
    println!("RSA-{bits}: opened in {:.0} µs", percentile(&mut openings, 50) * 1e6);
    let private = PrivateKey::new(&components).unwrap();
    let public = PublicKey::new(components.n, components.e).unwrap();
    let digests: [digest::Digest; LANES] =
        std::array::from_fn(|lane| digest::digest(&digest::SHA256, &[lane as u8]));
    let bytes = digests.each_ref().map(|digest| digest.as_ref());
    let (mut signature, mut signatures) = (vec![0; len], vec![0; LANES * len]);
    let mut salts = |buffer: &mut [u8]| rng.fill(buffer).map_err(|_| signwave_lanes::RandomFailed);
    Turns::take(
        rounds,
        || {
            digests
                .iter()
                .for_each(|digest| key.pair.sign_digest(&RSA_PSS_SHA256, digest, &mut signature).unwrap())
        },
        || private.sign(SCHEME, &bytes, &mut salts, &mut signatures).unwrap(),
    )
    .print(&format!("RSA-{bits} signing"));

    let theirs = ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.pair.public_key().as_ref()).unwrap();
    let parts: [&[u8]; LANES] = std::array::from_fn(|lane| &signatures[lane * len..][..len]);
    Turns::take(
        rounds * 4,
        || {
            digests
                .iter()
                .zip(parts)
                .for_each(|(digest, part)| theirs.verify_digest_sig(digest, part).unwrap())
        },
        || assert_eq!(public.verify(SCHEME, &bytes, &parts), [true; LANES]),
    )
    .print(&format!("RSA-{bits} verifying"));

    let ours = || {
        let mut signatures = vec![0; LANES * len];
        let mut salts = |buffer: &mut [u8]| rng.fill(buffer).map_err(|_| signwave_lanes::RandomFailed);
        private.sign(SCHEME, &bytes, &mut salts, &mut signatures).unwrap();
    };
    let theirs = || {
        let mut signature = vec![0; len];
        digests
            .iter()
            .for_each(|digest| key.pair.sign_digest(&RSA_PSS_SHA256, digest, &mut signature).unwrap());
    };
    let groups = rounds / 4 + 1;
    let both = |sign: &(dyn Fn() + Sync)| {
        let ratio = |_| rate_of_threads(2, groups, sign) / rate_of_threads(1, groups, sign);
        percentile(&mut (0..9).map(ratio).collect::<Vec<f64>>(), 50)
    };
    println!("RSA-{bits} two threads ÷ one: aws-lc {:.2}, lanes {:.2}", both(&theirs), both(&ours));
}

fn main() {
    let number = |index| std::env::args().nth(index).map(|text| text.parse::<usize>().unwrap());
    let (rounds, only) = (number(1).unwrap_or(200), number(2));
    for (bits, share) in [(2048, 1), (3072, 3), (4096, 6)] {
        if only.is_none_or(|only| only == bits) {
            measure(bits, rounds / share + 1);
        }
    }
}
