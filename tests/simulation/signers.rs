//! Keys that note each use, and the threads that they are used on: as many at a time as the node has, each
//! step of a job at a moment of its own.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock},
    time::Duration,
};

use signwave::{
    actors::{
        clock::Clock,
        messages::Leased,
        share::Share,
        signing_pool::{Job, SigningPool},
    },
    domain::{Digest, Fingerprint, KeyMaterial, NodeId, Reach, Scheme, SignatureBuf, StoredKey},
    signer::{self, OpenSigner, PublicKey, Signer, SignerError},
};
use tokio::{sync::Semaphore, task::spawn_local, time::sleep};

use crate::{
    panics,
    scenario::{CARD, Pace},
    shared::Shared,
};

/// Every job that was begun. Moments are counted, so that no two things happen at the same.
#[derive(Default)]
pub struct Ledger {
    moment: u64,
    operations: u64,
    jobs: Vec<JobRecord>,
    in_use: HashMap<(usize, Fingerprint), usize>,
    at_work: Option<usize>,
    /// Under which node each process last leased what has this digest.
    leased: HashMap<(usize, Vec<u8>), NodeId>,
    told: HashMap<usize, Told>,
}

/// What a process knows of its own lease: which node it is, and until when, by its clock, it trusts that.
struct Told {
    node: NodeId,
    trusted_until: Duration,
    clock: Clock,
}

/// A job: whose it is, its key as soon as it used one, and when.
pub struct JobRecord {
    pub process: usize,
    pub key: Option<Fingerprint>,
    pub begun: u64,
    pub ended: Option<u64>,
}

impl Ledger {
    pub fn job(&self, job: u64) -> &JobRecord {
        &self.jobs[job as usize]
    }

    /// A lease was given to `process`, whether or not it will hear of that.
    pub fn leased(&mut self, process: usize, leased: &Leased) {
        for digest in leased.contents.digests() {
            self.leased.insert((process, digest.as_bytes().to_vec()), leased.lease.node());
        }
    }

    /// The process is told that it is a node from now on.
    pub fn registered(&mut self, process: usize, node: NodeId, trusted_until: Duration, clock: Clock) {
        self.told.insert(process, Told { node, trusted_until, clock });
    }

    /// The process is told that it still is.
    pub fn renewed(&mut self, process: usize, until: Duration) {
        self.told.get_mut(&process).expect("it was registered").trusted_until = until;
    }

    fn begin(&mut self, process: usize) -> usize {
        self.moment += 1;
        self.jobs.push(JobRecord { process, key: None, begun: self.moment, ended: None });
        self.jobs.len() - 1
    }

    fn end(&mut self, job: usize) {
        self.moment += 1;
        self.jobs[job].ended = Some(self.moment);
        self.in_use.retain(|_, user| *user != job);
    }

    /// P2, within a process: from its first signature to its last a job has its key for itself. P4, as far
    /// as a process can know: it signs under a lease that it trusts, and of the node that it is.
    fn used(&mut self, key: Fingerprint, digest: &Digest) -> u64 {
        let job = self.at_work.expect("a signer is used on a signing thread only");
        let record = &mut self.jobs[job];
        let told = &self.told[&record.process];
        assert!((told.clock)() < told.trusted_until, "process {} signs on after its lease", record.process);
        let lease = self.leased[&(record.process, digest.as_bytes().to_vec())];
        assert_eq!(lease, told.node, "process {} signs under a lease of another node", record.process);
        assert!(record.key.is_none_or(|before| before == key), "a job with two keys");
        record.key = Some(key);
        let user = *self.in_use.entry((record.process, key)).or_insert(job);
        assert_eq!(user, job, "key {key} is used twice at once in process {}", self.jobs[job].process);
        job as u64
    }
}

/// The threads of one process.
#[derive(Clone)]
pub struct Bench {
    pub shared: Shared,
    pub process: usize,
}

impl Bench {
    pub fn pool(self, share: &Share) -> SigningPool {
        let threads = Arc::new(Semaphore::new(share.threads()));
        // Spawned where it was sent: among the tasks of its own node, which end and pause with it.
        SigningPool::of(move |job| drop(spawn_local(self.clone().carry_out(job, Arc::clone(&threads)))))
    }

    async fn carry_out(self, job: Job, threads: Arc<Semaphore>) {
        let _thread = threads.acquire().await.unwrap();
        let ledger = &self.shared.ledger;
        let number = ledger.lock().unwrap().begin(self.process);
        let mut left = Some(job);
        while let Some(job) = left {
            self.take_time(&job).await;
            ledger.lock().unwrap().at_work = Some(number);
            left = job.step();
            ledger.lock().unwrap().at_work = None;
        }
        ledger.lock().unwrap().end(number);
    }

    /// However the threads are divided, a key takes the time of its custodian.
    async fn take_time(&self, job: &Job) {
        let card = self.shared.card.filter(|_| job.custody() == CARD);
        match card.map_or(self.shared.pace, |card| card.pace) {
            Pace::Drawn => self.take_drawn_time().await,
            Pace::Each(time) => sleep(time * job.size_of_next_step() as u32).await,
            Pace::Hangs => std::future::pending().await,
        }
    }

    async fn take_drawn_time(&self) {
        let (fate, weather) = (&self.shared.fate, self.shared.weather());
        let most = if fate.chance(weather.slow_signer) { weather.longest } else { weather.signing };
        let time = fate.millis(0, most);
        if !time.is_zero() {
            sleep(time).await;
        }
    }
}

/// Opens the simulated keys.
pub struct Opener(pub Shared);

impl OpenSigner for Opener {
    fn open(&self, key: &StoredKey) -> Result<Box<dyn Signer>, SignerError> {
        static PUBLIC_KEY: OnceLock<PublicKey> = OnceLock::new();
        let public_key = PUBLIC_KEY.get_or_init(|| signer::generate(2048).unwrap().public_key().clone());
        if self.0.fate.chance(self.0.weather().bad_signer / 4) {
            self.0.fate.count("signer failed");
            return Err(SignerError::Generate);
        }
        let is_elsewhere = matches!(key.material, KeyMaterial::Elsewhere { .. });
        if is_elsewhere {
            self.0.fate.count("card used");
        }
        Ok(Box::new(SimulatedSigner { key: key.fingerprint, public_key, shared: self.0.clone() }))
    }

    fn reach(&self) -> Reach {
        let card = self.0.card.map(|_| CARD.to_owned());
        Reach::of([KeyMaterial::DATABASE.to_owned()].into_iter().chain(card))
    }

    fn sessions(&self) -> BTreeMap<String, usize> {
        self.0.card.into_iter().map(|card| (CARD.to_owned(), card.sessions)).collect()
    }
}

struct SimulatedSigner {
    key: Fingerprint,
    public_key: &'static PublicKey,
    shared: Shared,
}

impl Signer for SimulatedSigner {
    fn public_key(&self) -> &PublicKey {
        self.public_key
    }

    /// What it makes are no RSA signatures; the ledger knows them.
    fn checks_itself(&self) -> bool {
        true
    }

    /// A signature names its key, its digest, its job and itself: as with PSS, no two are the same.
    fn sign(&mut self, _: Scheme, digests: &[Digest], out: &mut SignatureBuf) -> Result<(), SignerError> {
        let (fate, weather) = (&self.shared.fate, self.shared.weather());
        let mut ledger = self.shared.ledger.lock().unwrap();
        let job = ledger.used(self.key, &digests[0]);
        let mut count = digests.len();
        if fate.chance(weather.bad_signer) {
            drop(ledger);
            match fate.between(0, 2) {
                0 => {
                    fate.count("signer failed");
                    return Err(SignerError::Generate);
                }
                1 => {
                    fate.count("signer panicked");
                    panics::planned();
                }
                _ => {
                    fate.count("signer made too few");
                    count -= 1;
                    ledger = self.shared.ledger.lock().unwrap();
                }
            }
        }
        for digest in &digests[..count] {
            ledger.operations += 1;
            let signature = out.push_zeroed();
            signature[..32].copy_from_slice(&self.key.0);
            signature[32..64].copy_from_slice(digest.as_bytes());
            signature[64..72].copy_from_slice(&job.to_be_bytes());
            signature[72..80].copy_from_slice(&ledger.operations.to_be_bytes());
        }
        Ok(())
    }
}
