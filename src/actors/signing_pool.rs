//! The signing threads, one per core: all RSA is done here, whatever the number of keys.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;

use super::{db_executor::panic_message, messages::SignFailed, signing_key::SigningKey, standing::Permit};
use crate::{
    config::Checking,
    domain::{Digest, Scheme, SignatureBuf},
    signer::OpenSigner,
    store::StoredKey,
};

/// Fixed threads with one queue. Its length is bounded by the leases that a node may hold.
pub struct SigningPool {
    queue: Sender<Job>,
}

/// A batch to sign, and the key that comes with it for as long as that takes.
pub(super) struct Job {
    pub(super) key: KeySource,
    pub(super) scheme: Scheme,
    pub(super) digests: Vec<Digest>,
    pub(super) permit: Permit,
    pub(super) done: oneshot::Sender<Done>,
}

/// A key, or what to open it from: unsealing is work for a signing thread too.
pub(super) enum KeySource {
    Ready(SigningKey),
    Sealed(Arc<dyn OpenSigner>, StoredKey, Checking),
}

/// The key comes back, unless it could not be opened or its signer panicked.
pub(super) struct Done {
    pub(super) key: Option<SigningKey>,
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
        let Job { key, scheme, digests, permit, done } = job;
        let outcome = catch_unwind(AssertUnwindSafe(|| sign(key, scheme, &digests, &permit)));
        let reply = outcome.unwrap_or_else(|panic| {
            // The signer is dropped with whatever state it was in; the key is opened afresh.
            Done { key: None, result: Err(SignFailed::Panicked(panic_message(panic.as_ref()))) }
        });
        // Nobody is listening only when the service is gone, and then the lease is reclaimed.
        drop(done.send(reply));
    }
}

fn sign(source: KeySource, scheme: Scheme, digests: &[Digest], permit: &Permit) -> Done {
    let opened = match source {
        KeySource::Ready(key) => Ok(key),
        KeySource::Sealed(opener, key, checking) => SigningKey::open(opener.as_ref(), &key, checking),
    };
    match opened {
        Ok(mut key) => {
            let result = key.sign(scheme, digests, permit);
            Done { key: Some(key), result }
        }
        Err(error) => Done { key: None, result: Err(error.into()) },
    }
}
