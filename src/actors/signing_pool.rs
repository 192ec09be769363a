//! The threads of a share. The signing threads, one per core, do all private-key operations of this process, however
//! many keys there are. Those of a custodian that signs elsewhere wait for its answers, and another thread checks what
//! it has signed, so that the custodian never waits for the check.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;

use super::{
    db_executor::panic_message,
    messages::SignFailed,
    share::{Share, ShareId},
    signing_key::SigningKey,
    standing::{Interrupted, Permit},
    workload::Ticket,
};
use crate::{
    config::Checking,
    domain::{Contents, Lease, SignatureBuf, SignedBatch, StoredKey, WrongCount},
    signer::{LANES, OpenSigner, SignerError},
};

/// How many operations are made between two checks of the permit: as many as an engine makes at once, at most 2 ms of
/// RSA-2048.
const SIGNED_AT_A_TIME: usize = LANES;

/// Where one operation takes longer, the permit is checked after each.
const SLOW: Duration = Duration::from_millis(50);

/// A fixed number of threads with one queue. The number of leases that a node may hold limits the length of the
/// queue.
pub struct SigningPool {
    submit: Box<dyn Fn(Job) + Send + Sync>,
    /// Jobs that no thread has taken yet.
    waiting: Option<Receiver<Job>>,
}

/// A batch to sign, together with the key, which the job owns until it is done.
pub struct Job {
    key: KeySource,
    work: Work,
    done: oneshot::Sender<Done>,
}

/// An opened key, or a stored key that a signing thread must open first.
pub(super) enum KeySource {
    Ready(SigningKey),
    Stored(Arc<dyn OpenSigner>, StoredKey, Checking),
}

/// The batch to sign, and the progress of the work.
struct Work {
    lease: Lease,
    contents: Contents,
    permit: Permit,
    /// When it was handed to the threads.
    queued: Duration,
    /// Exists from the first operation to the last.
    ticket: Option<Ticket>,
    next: usize,
    /// How long each of the last operations took.
    each: Option<Duration>,
    signatures: SignatureBuf,
    is_checked: bool,
}

/// The result of a job, with the key, unless the key could not be opened or its signer panicked.
pub(super) struct Done {
    pub(super) key: Option<SigningKey>,
    pub(super) result: Result<SignedBatch, SignFailed>,
}

impl SigningPool {
    /// Starts the threads. They end when the pool is dropped, together with the actors that use it. An operation
    /// that is in progress at exit is dropped.
    ///
    /// # Errors
    /// When the operating system refuses to start a thread.
    pub fn start(share: &Share) -> std::io::Result<Self> {
        let (queue, jobs) = unbounded::<Job>();
        let name = share.custodian().unwrap_or("sign");
        let spawn = |part: String, work: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(format!("{name}-{part}")).spawn(work).map(drop)
        };
        let checks = share.custodian().map(|_| unbounded::<Job>());
        for i in 0..share.threads() {
            let (jobs, to_check) = (jobs.clone(), checks.as_ref().map(|(to_check, _)| to_check.clone()));
            spawn(
                i.to_string(),
                Box::new(move || jobs.iter().for_each(|job| job.carry_out(to_check.as_ref()))),
            )?;
        }
        if let Some((_, signed)) = checks {
            spawn("check".to_owned(), Box::new(move || signed.iter().for_each(Job::finish)))?;
        }
        // The queue outlives its threads only at exit. The sender of the reply is dropped then, which the
        // KeyActor notices.
        Ok(Self { submit: Box::new(move |job| drop(queue.send(job))), waiting: Some(jobs) })
    }

    /// A pool without threads. `submit` must carry out each job step by step, but may choose when.
    pub fn of(submit: impl Fn(Job) + Send + Sync + 'static) -> Self {
        Self { submit: Box::new(submit), waiting: None }
    }

    /// Gives back all jobs that no thread has begun, because the service stops. Otherwise they would wait until the
    /// threads have finished their current jobs.
    pub(super) fn give_back_waiting(&self) {
        self.waiting.iter().flat_map(Receiver::try_iter).for_each(Job::give_back);
    }

    pub(super) fn submit(&self, job: Job) {
        (self.submit)(job);
    }
}

impl Job {
    pub(super) fn new(
        key: KeySource,
        lease: Lease,
        contents: Contents,
        permit: Permit,
        done: oneshot::Sender<Done>,
    ) -> Self {
        let (queued, signatures) = (permit.now(), SignatureBuf::default());
        let (ticket, next, each, is_checked) = (None, 0, None, false);
        let work = Work { lease, contents, permit, queued, ticket, next, each, signatures, is_checked };
        Self { key, work, done }
    }

    /// The share whose threads do it.
    pub(super) fn share(&self) -> ShareId {
        self.work.permit.share()
    }

    /// Who has custody of its key.
    pub fn custody(&self) -> &str {
        self.key.custody()
    }

    /// How many signatures the next step makes; 0 if it checks them.
    pub fn size_of_next_step(&self) -> usize {
        self.work.end_of_group() - self.work.next
    }

    fn give_back(self) {
        let key = match self.key {
            KeySource::Ready(key) => Some(key),
            KeySource::Stored(..) => None,
        };
        // Sending fails only when the service has ended. The lease is reclaimed then.
        drop(self.done.send(Done { key, result: Err(Interrupted::Stopping.into()) }));
    }

    /// Takes every step.
    pub fn finish(self) {
        self.carry_out(None);
    }

    /// Takes every step. The check is left to the thread behind `to_check`, if there is one.
    fn carry_out(self, to_check: Option<&Sender<Self>>) {
        let mut left = Some(self);
        while let Some(job) = left {
            match to_check.filter(|_| job.work.is_signed()) {
                // That thread ends with this one.
                Some(to_check) => return drop(to_check.send(job)),
                None => left = job.step(),
            }
        }
    }

    /// Makes the next few signatures, or checks them all, and returns the job if something is left to do. Otherwise, or
    /// after a failure, sends the result to the waiting KeyActor.
    pub fn step(self) -> Option<Self> {
        let Self { key, mut work, done } = self;
        let step = catch_unwind(AssertUnwindSafe(|| work.step(key)));
        // A signer that panicked may be in any state, so it is dropped. The key is opened again.
        let (key, is_done) =
            step.unwrap_or_else(|panic| (None, Err(SignFailed::Panicked(panic_message(panic.as_ref())))));
        match (key, is_done) {
            (Some(key), Ok(false)) => Some(Self { key: KeySource::Ready(key), work, done }),
            (key, is_done) => {
                // Sending fails only when the service has ended. The lease is reclaimed then.
                drop(done.send(Done { key, result: is_done.and_then(|_| work.into_batch()) }));
                None
            }
        }
    }
}

impl Work {
    fn step(&mut self, key: KeySource) -> (Option<SigningKey>, Result<bool, SignFailed>) {
        match key.open() {
            Ok(mut key) => {
                let step = if self.is_signed() { self.check(&key) } else { self.sign_group(&mut key) };
                let is_done = step.map(|()| self.is_signed() && (self.is_checked || !key.is_checked()));
                (Some(key), is_done)
            }
            Err(error) => (None, Err(error.into())),
        }
    }

    /// The batch with its signatures. Their records root is made here, on the thread that signed.
    fn into_batch(self) -> Result<SignedBatch, SignFailed> {
        self.lease.signed(&self.contents, self.signatures).map_err(|WrongCount { lease, found }| {
            SignFailed::WrongCount { expected: lease.records().len(), found }
        })
    }

    /// Whether all signatures are made.
    fn is_signed(&self) -> bool {
        self.next == self.contents.digests().len()
    }

    /// Checks the whole batch after the last group, so that the checked signatures are the ones that will be stored.
    fn check(&mut self, key: &SigningKey) -> Result<(), SignFailed> {
        key.check(self.lease.scheme(), self.contents.digests(), &self.signatures, &self.permit)?;
        self.is_checked = true;
        Ok(())
    }

    /// Signs the next group.
    fn sign_group(&mut self, key: &mut SigningKey) -> Result<(), SignFailed> {
        if self.next == 0 {
            self.permit.may_start()?;
            self.ticket = Some(self.permit.begin(self.contents.digests().len(), self.queued));
            self.signatures = SignatureBuf::with_capacity(key.modulus_len(), self.contents.digests().len());
        }
        self.permit.may_continue()?;
        let end = self.end_of_group();
        key.sign(self.lease.scheme(), &self.contents.digests()[self.next..end], &mut self.signatures)?;
        self.next = end;
        let each = self.ticket.as_ref().and_then(|ticket| self.permit.note(ticket, end));
        self.each = each.filter(|each| !each.is_zero()).or(self.each);
        Ok(())
    }

    /// The index behind the next group. A custodian that signs elsewhere is slow until it is known to be fast.
    fn end_of_group(&self) -> usize {
        let is_slow = |each: Duration| each > SLOW;
        let is_slow = match self.each {
            Some(each) => is_slow(each),
            None if self.permit.share().waits() => {
                self.permit.speed().is_none_or(|speed| is_slow(speed.each))
            }
            None => false,
        };
        self.contents.digests().len().min(self.next + if is_slow { 1 } else { SIGNED_AT_A_TIME })
    }
}

impl KeySource {
    /// Who has custody of the key.
    pub(super) fn custody(&self) -> &str {
        match self {
            Self::Ready(key) => key.custody(),
            Self::Stored(_, key, _) => key.material.columns().0,
        }
    }

    fn open(self) -> Result<SigningKey, SignerError> {
        match self {
            Self::Ready(key) => Ok(key),
            Self::Stored(opener, key, checking) => SigningKey::open(opener.as_ref(), &key, checking),
        }
    }
}
