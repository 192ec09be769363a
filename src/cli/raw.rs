//! The raw signing speed of this machine: the same keys, the same number of threads, no database.

use std::{
    panic::resume_unwind,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{
    config::Settings,
    domain::{Digest, KeyState, Scheme, SignatureBuf},
    signer::{OpenSigner, Signer, SignerError, digest},
    store::Store,
};

/// The signers to measure, and the measurements so far.
pub struct RawSpeed {
    signers: Vec<Box<dyn Signer>>,
    threads: usize,
    scheme: Scheme,
    signatures: u64,
    seconds: f64,
}

/// Signatures in a row with one key, between two reads of the clock.
const IN_A_ROW: usize = 16;

impl RawSpeed {
    /// Opens every active key. The signing threads share the keys.
    pub fn open(store: &dyn Store, opener: &dyn OpenSigner, settings: &Settings) -> Result<Self> {
        let mut signers = Vec::new();
        for key in store.keys()?.iter().filter(|key| key.state == KeyState::Active) {
            if let Some(key) = store.stored_key(key.id)? {
                signers.push(opener.open(&key)?);
            }
        }
        if signers.is_empty() {
            bail!("there is no active key to measure");
        }
        Ok(Self { signers, threads: settings.signers, scheme: settings.scheme, signatures: 0, seconds: 0.0 })
    }

    /// Signs on all threads for `time`, and adds the result to the measurements.
    pub fn measure(&mut self, time: Duration) -> Result<()> {
        let (scheme, digests) = (self.scheme, [digest(self.scheme.digest(), b"signwave"); IN_A_ROW]);
        let share = self.signers.len().div_ceil(self.threads);
        let begun = Instant::now();
        let signatures = thread::scope(|scope| {
            let workers: Vec<_> = self
                .signers
                .chunks_mut(share)
                .map(|signers| scope.spawn(move || sign_until(signers, scheme, &digests, begun, time)))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .sum::<Result<u64, _>>()
        })?;
        self.signatures += signatures;
        self.seconds += begun.elapsed().as_secs_f64();
        Ok(())
    }

    /// Signatures per second over all measurements.
    pub fn per_second(&self) -> f64 {
        self.signatures as f64 / self.seconds
    }
}

fn sign_until(
    signers: &mut [Box<dyn Signer>],
    scheme: Scheme,
    digests: &[Digest],
    begun: Instant,
    time: Duration,
) -> Result<u64, SignerError> {
    let mut count = 0;
    for i in (0..signers.len()).cycle() {
        let mut out = SignatureBuf::with_capacity(signers[i].public_key().modulus_len(), digests.len());
        signers[i].sign(scheme, digests, &mut out)?;
        count += out.len() as u64;
        if begun.elapsed() >= time {
            break;
        }
    }
    Ok(count)
}
