//! The raw speed of verification: the same records, keys and threads, all in memory.

use std::{
    panic::resume_unwind,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use signwave::{
    domain::Scheme,
    signer::{self, Verifier},
};

/// A signed record in memory, with the place of its key's verifier.
pub struct Signed {
    /// The index of the verifier.
    pub verifier: usize,
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// Their signature.
    pub signature: Vec<u8>,
}

/// Records hashed and verified per second on `threads` threads, for about `slice`.
pub fn verification_rate(
    verifiers: &[Box<dyn Verifier>],
    scheme: Scheme,
    records: &[Signed],
    threads: usize,
    slice: Duration,
) -> Result<f64> {
    let share = records.len().div_ceil(threads);
    thread::scope(|scope| {
        let verify = |records| verify_until(verifiers, scheme, records, slice);
        let threads: Vec<_> =
            records.chunks(share).map(|records| scope.spawn(move || verify(records))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).sum()
    })
}

fn verify_until(
    verifiers: &[Box<dyn Verifier>],
    scheme: Scheme,
    records: &[Signed],
    slice: Duration,
) -> Result<f64> {
    let (begun, mut made) = (Instant::now(), 0);
    while begun.elapsed() < slice {
        for record in records {
            let digest = signer::digest(scheme.digest(), &record.payload);
            let verifies = verifiers[record.verifier].verify(scheme, &digest, &record.signature);
            ensure!(verifies, "a signature that was just stored does not verify");
        }
        made += records.len();
    }
    Ok(made as f64 / begun.elapsed().as_secs_f64())
}
