//! The signing threads, one per core: all RSA is done here, whatever the number of keys.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;

use super::{db_executor::panic_message, messages::SignFailed, standing::Permit};
use crate::{
    domain::{Digest, Scheme, SignatureBuf},
    signer::{OpenSigner, Signer},
    store::StoredKey,
};

/// How many operations are made between two looks at the permit: 2 ms of RSA-2048.
const GROUP: usize = 8;

/// Fixed threads with one queue. Its length is bounded by the leases that a node may hold.
pub struct SigningPool {
    queue: Sender<Job>,
}

/// A batch to sign, and the signer that comes with it for as long as that takes.
pub(super) struct Job {
    pub(super) signer: KeySource,
    pub(super) scheme: Scheme,
    pub(super) digests: Vec<Digest>,
    pub(super) permit: Permit,
    pub(super) done: oneshot::Sender<Done>,
}

/// A signer, or what to open one from: unsealing is work for a signing thread too.
pub(super) enum KeySource {
    Ready(Box<dyn Signer>),
    Sealed(Arc<dyn OpenSigner>, StoredKey),
}

/// The signer comes back, unless it could not be opened or panicked.
pub(super) struct Done {
    pub(super) signer: Option<Box<dyn Signer>>,
    pub(super) result: Result<SignatureBuf, SignFailed>,
}

impl SigningPool {
    /// Starts the threads. They end with the pool, that is, with the actors that use it; an operation
    /// in progress at exit is dropped.
    ///
    /// # Errors
    /// When the operating system has no thread to give.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let (queue, jobs) = unbounded();
        let spawn = |i| {
            let jobs = jobs.clone();
            thread::Builder::new().name(format!("sign-{i}")).spawn(move || work(&jobs))
        };
        (0..threads).try_for_each(|i| spawn(i).map(drop))?;
        Ok(Self { queue })
    }

    pub(super) fn submit(&self, job: Job) {
        // The queue outlives its threads only at exit; the reply's sender is dropped then, and the
        // KeyActor hears that.
        drop(self.queue.send(job));
    }
}

fn work(jobs: &Receiver<Job>) {
    for job in jobs {
        let Job { signer, scheme, digests, permit, done } = job;
        let outcome = catch_unwind(AssertUnwindSafe(|| sign(signer, scheme, &digests, &permit)));
        let reply = outcome.unwrap_or_else(|panic| {
            // The signer is dropped with whatever state it was in; the key is opened afresh.
            Done { signer: None, result: Err(SignFailed::Panicked(panic_message(panic.as_ref()))) }
        });
        // Nobody is listening only when the service is gone, and then the lease is reclaimed.
        drop(done.send(reply));
    }
}

fn sign(source: KeySource, scheme: Scheme, digests: &[Digest], permit: &Permit) -> Done {
    let mut signer = match source {
        KeySource::Ready(signer) => signer,
        KeySource::Sealed(opener, key) => {
            match opener.open(&key.fingerprint, &key.public_key, key.sealed_key.as_deref()) {
                Ok(signer) => signer,
                Err(error) => return Done { signer: None, result: Err(error.into()) },
            }
        }
    };
    let result = sign_in_groups(signer.as_mut(), scheme, digests, permit);
    Done { signer: Some(signer), result }
}

fn sign_in_groups(
    signer: &mut dyn Signer,
    scheme: Scheme,
    digests: &[Digest],
    permit: &Permit,
) -> Result<SignatureBuf, SignFailed> {
    permit.may_start()?;
    let mut signatures = SignatureBuf::with_capacity(signer.public_key().modulus_len(), digests.len());
    for group in digests.chunks(GROUP) {
        permit.may_continue()?;
        signer.sign(scheme, group, &mut signatures)?;
    }
    Ok(signatures)
}
