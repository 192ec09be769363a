//! The rig of each test: a store in memory, a stand-in for DbExecutor, scripted signers,
//! a clock that only the test moves, and one checker of all promises.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use actix::{Actor, Addr};
use actix_rt::task::JoinHandle;
use signwave::{
    actors::{
        self, Counters, Ending, Mode, Parts, RunError, Stop,
        clock::Clock,
        db::Db,
        key_actor::KeyTools,
        messages::{Leased, Sign},
        pools::Pools,
        service::Service,
        share::{Share, Shares},
        signing_pool::{Job, SigningPool},
        standing::Standing,
        supervisor::Supervisor,
    },
    config::{Roles, Settings},
    domain::{
        BatchId, BatchState, Contents, DigestAlgorithm, Epoch, Fingerprint, KeyId, KeyLimits, KeyMaterial,
        NodeId, OpenBatch, RecordId, Scheme,
    },
    signer,
    store::{Audit, KeyPool, Listener, NewKey, Nodes, Reading},
};
use support::{
    faulty::FaultyStore,
    memory::MemoryStore,
    promises::{Promises, Signed},
    store::{add_different_records, by},
};

use crate::{
    signers::{Opener, Signers, signature},
    stand_in::{Script, StandIn},
};

/// What most tests start.
pub const SERVE: Mode = Mode::Serve(Roles::Both);

pub struct Rig {
    pub memory: Arc<MemoryStore>,
    pub store: Arc<FaultyStore>,
    pub script: Arc<Script>,
    pub signers: Arc<Signers>,
    pub progress: Arc<Counters>,
    pub settings: Settings,
    /// Where jobs wait for the test to carry them out, instead of going to threads.
    pub by_hand: Option<Jobs>,
    seconds: Arc<AtomicU64>,
    promises: Arc<Mutex<Promises>>,
}

pub type Jobs = Arc<Mutex<VecDeque<Job>>>;

/// A service at work.
pub struct Running {
    pub stop: Stop,
    run: JoinHandle<Result<Ending, RunError>>,
}

impl Running {
    pub async fn stopped(self) -> Result<Ending, RunError> {
        self.stop.request();
        self.ended().await
    }

    pub async fn ended(self) -> Result<Ending, RunError> {
        self.run.await.expect("the run does not panic")
    }
}

impl Rig {
    pub fn new(records: usize, keys: usize, batch_size: usize) -> Self {
        let memory = Arc::new(MemoryStore::new());
        let rig = Self {
            store: Arc::new(FaultyStore::new(memory.clone())),
            memory,
            script: Arc::default(),
            signers: Arc::default(),
            progress: Arc::default(),
            settings: Settings { batch_size, signers: 2, ..Settings::default() },
            by_hand: None,
            seconds: Arc::new(AtomicU64::new(1000)),
            promises: Arc::new(Mutex::new(Promises::verified_by(is_scripted))),
        };
        (1..=keys).for_each(|key| _ = rig.memory.add_key(&scripted_key(key), &by()).unwrap());
        rig.insert(records);
        rig
    }

    /// Another process at the same database.
    pub fn twin(&self) -> Self {
        Self {
            memory: self.memory.clone(),
            store: self.store.clone(),
            script: self.script.clone(),
            signers: self.signers.clone(),
            progress: Arc::default(),
            settings: self.settings.clone(),
            by_hand: self.by_hand.clone(),
            seconds: self.seconds.clone(),
            promises: self.promises.clone(),
        }
    }

    pub fn insert(&self, records: usize) {
        add_different_records(&*self.memory, records);
    }

    /// Time passes, here and in the database.
    pub fn advance(&self, time: Duration) {
        self.seconds.fetch_add(time.as_secs(), SeqCst);
        self.memory.advance(time);
    }

    pub fn start(&self, mode: Mode) -> Running {
        self.start_with(mode, None)
    }

    /// As [`Rig::start`], with somebody who hears of news.
    pub fn start_listening(&self, mode: Mode, listener: Box<dyn Listener>) -> Running {
        self.start_with(mode, Some(listener))
    }

    fn start_with(&self, mode: Mode, listener: Option<Box<dyn Listener>>) -> Running {
        let stop = Stop::default();
        let db = Db::of(&StandIn { store: self.store.clone(), script: self.script.clone() }.start());
        let service = self.service_with(db, mode, listener, stop.clone());
        Running { run: actix_rt::spawn(service), stop }
    }

    /// The service over `db`, until it ends.
    pub fn service(
        &self,
        db: Db,
        mode: Mode,
        stop: Stop,
    ) -> impl Future<Output = Result<Ending, RunError>> + 'static {
        self.service_with(db, mode, None, stop)
    }

    fn service_with(
        &self,
        db: Db,
        mode: Mode,
        listener: Option<Box<dyn Listener>>,
        stop: Stop,
    ) -> impl Future<Output = Result<Ending, RunError>> + 'static {
        let (parts, seconds) = (self.parts(mode, stop), self.seconds.clone());
        let clock: Clock = Arc::new(move || Duration::from_secs(seconds.load(SeqCst)));
        let by_hand = self.by_hand.clone();
        async move {
            let pool = move |share: &Share| match by_hand.clone() {
                Some(jobs) => Ok(SigningPool::of(move |job| jobs.lock().unwrap().push_back(job))),
                None => SigningPool::start(share),
            };
            let stop = parts.stop.clone();
            let starting = Service::start(parts, db, clock, pool);
            let Some(mut service) = Service::unless_stopped(starting, &stop).await? else {
                return Ok(Ending::Stopped);
            };
            if let Some(listener) = listener {
                service.listen(listener)?;
            }
            service.run_until_end().await
        }
    }

    /// The service as a process runs it: with the real executor and clock, from its very start.
    pub fn run(&self, mode: Mode) -> Running {
        let stop = Stop::default();
        let run = actors::run(self.parts(mode, stop.clone()), self.store.clone());
        Running { run: actix_rt::spawn(run), stop }
    }

    fn parts(&self, mode: Mode, stop: Stop) -> Parts {
        let (counters, opener) = (self.progress.clone(), Arc::new(Opener(self.signers.clone())));
        Parts { stop, counters, ..Parts::new(self.settings.clone(), opener, mode) }
    }

    /// Signs everything that is there.
    pub async fn drain(&self) -> Result<Ending, RunError> {
        self.start(Mode::Drain).ended().await
    }

    /// A Supervisor of its own, whose jobs go to `pool`.
    pub fn supervisor(&self, pool: SigningPool) -> Addr<Supervisor> {
        let (now, ttl) = (Duration::from_secs(1), Duration::from_secs(30));
        let standing = Standing::new(Arc::new(move || now));
        standing.renewed(NodeId(1), now, ttl);
        let db = Db::of(&StandIn { store: self.store.clone(), script: self.script.clone() }.start());
        let opener = Arc::new(Opener(self.signers.clone()));
        let checking = self.settings.checking;
        let mut pool = Some(pool);
        let shares = Shares::new(self.settings.signers, BTreeMap::new());
        let pools = Pools::start(shares, |_| Ok(pool.take().unwrap())).unwrap();
        let tools = KeyTools { db, opener, checking, pools: Arc::new(pools), standing };
        Supervisor::new(self.settings.node_name.clone(), tools).start()
    }

    /// One record to be signed with key 1, by node 1.
    pub fn sign_by_hand(&self, batch: i64) -> Sign {
        let records = [RecordId(batch)].into_iter().collect();
        let open = OpenBatch { id: BatchId(batch), epoch: Epoch(0), records };
        let lease = open.lease(KeyId(1), NodeId(1), Scheme::Ps256);
        let mut contents = Contents::default();
        contents.push(signer::digest(lease.scheme().digest(), &batch.to_be_bytes()), None);
        Sign(Leased { lease, contents })
    }

    /// Another node comes to a database whose node 1 seems dead.
    pub fn take_over_from(&self, node: NodeId) {
        self.memory.declare_dead(node);
        let reclaimed = self.memory.reclaim(None, Duration::from_secs(5)).unwrap();
        assert_eq!(reclaimed.iter().map(|dead| dead.node).collect::<Vec<_>>(), [node]);
    }

    pub fn batches(&self) -> Vec<signwave::store::BatchRow> {
        self.memory.batches(BatchId(0), usize::MAX).unwrap()
    }

    /// How many batches are leased.
    pub fn leased(&self) -> usize {
        self.batches().iter().filter(|batch| batch.state == BatchState::Leased).count()
    }

    /// Every promise that can be seen in a database, at any moment.
    pub fn check(&self) {
        self.promises.lock().unwrap().check(&*self.memory);
    }

    /// As [`Rig::check`], and nothing is left to do.
    pub fn check_all_signed(&self) {
        self.check();
        let (counts, status) = (self.memory.counts().unwrap(), self.memory.status().unwrap());
        assert_eq!(counts.signatures, counts.records, "every record is signed");
        assert_eq!(status.nodes, [], "no node is left behind");
        assert_eq!(self.leased(), 0);
    }

    /// Each record was signed by an RSA operation exactly once.
    pub fn check_no_work_done_twice(&self) {
        let signed = self.signers.signed.lock().unwrap();
        let distinct: HashSet<_> = signed.iter().map(|(_, digest)| digest).collect();
        assert_eq!(signed.len(), distinct.len(), "something was signed twice");
    }

    /// Until `condition` holds; the reactor turns until then. What takes longer than a minute never comes.
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            assert!(begun.elapsed() < Duration::from_secs(90), "this never comes");
            actix_rt::task::yield_now().await;
            std::thread::sleep(Duration::from_micros(50)); // the core is for others
        }
    }
}

/// Lets something last for a time of this runtime. What is waited for is polled with [`Rig::until`].
pub async fn lasting(time: Duration) {
    actix_rt::time::sleep(time).await;
}

/// Whether it is what the scripted signer of this key makes.
fn is_scripted(signed: Signed<'_>) -> bool {
    let digest = signer::digest(DigestAlgorithm::Sha256, signed.payload);
    signed.signature == signature(signed.key.fingerprint, digest.as_bytes())
}

/// A key that the scripted signer of the same number opens.
pub fn scripted_key(key: usize) -> NewKey {
    NewKey {
        fingerprint: fingerprint(key),
        public_key: vec![key as u8; 8],
        bits: 2048,
        material: KeyMaterial::Sealed(vec![0; 8]),
        limits: KeyLimits::default(),
    }
}

pub fn fingerprint(key: usize) -> Fingerprint {
    Fingerprint(std::array::from_fn(|i| if i == 0 { key as u8 } else { 7 }))
}
