//! Three nodes with signers that note when each operation begins and ends: within a node no key is
//! ever used twice at once, and across nodes no two operations whose results were stored overlap.
//! Now and then a node is cut off from the server in the middle of an operation, for longer than its
//! lease: others take its batches, and use its keys.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use signwave::{
    actors::{self, Ending, Mode, Parts},
    config::Settings,
    domain::{Digest, Fingerprint, Scheme, SignatureBuf, StoredKey},
    signer::{self, OpenSigner, PublicKey, Signer, SignerError},
    store::StoreError,
};
use support::faulty::{Fault, FaultyStore, Method};
use support::{
    store::{add_keys, add_records},
    waiting::lasting,
};

use crate::{Database, open};

const NODES: usize = 3;
const LEASE: Duration = Duration::from_secs(1);
/// How long a cut-off node's operation takes: longer than lease and grace together.
const CUT_OFF: Duration = Duration::from_millis(1800);

struct Operation {
    node: usize,
    key: Fingerprint,
    begun: Instant,
    ended: Instant,
    signatures: Vec<Vec<u8>>,
}

/// What all nodes share: the log of operations, and how many there were.
#[derive(Default)]
struct Log {
    operations: Mutex<Vec<Operation>>,
    count: AtomicU64,
}

struct Node {
    number: usize,
    store: Arc<FaultyStore>,
    public_key: PublicKey,
    log: Arc<Log>,
}

struct Opener(Arc<Node>);

impl OpenSigner for Opener {
    fn open(&self, key: &StoredKey) -> Result<Box<dyn Signer>, SignerError> {
        Ok(Box::new(Noting { key: key.fingerprint, node: Arc::clone(&self.0) }))
    }
}

struct Noting {
    key: Fingerprint,
    node: Arc<Node>,
}

impl Signer for Noting {
    fn public_key(&self) -> &PublicKey {
        &self.node.public_key
    }

    fn checks_itself(&self) -> bool {
        true
    }

    fn sign(&mut self, _: Scheme, digests: &[Digest], out: &mut SignatureBuf) -> Result<(), SignerError> {
        let begun = Instant::now();
        let number = self.node.log.count.fetch_add(1, SeqCst);
        lasting(Duration::from_millis(3));
        // Each node in turn, every hundred operations.
        if number % 100 == 33 {
            for nth in 1..=20 {
                let gone = StoreError::Unavailable("cut off by the test".to_owned());
                self.node.store.fail(Method::RenewNode, nth, Fault::NotPersisted(gone));
            }
            lasting(CUT_OFF);
        }
        let mut signatures = Vec::new();
        for digest in digests {
            let signature = out.push_zeroed();
            signature[..8].copy_from_slice(&number.to_be_bytes());
            signature[8..40].copy_from_slice(digest.as_bytes());
            signature[40] = signatures.len() as u8;
            signatures.push(signature.to_vec());
        }
        let (node, key, ended) = (self.node.number, self.key, Instant::now());
        self.node.log.operations.lock().unwrap().push(Operation { node, key, begun, ended, signatures });
        Ok(())
    }
}

#[test]
fn no_two_operations_of_one_key_whose_results_were_stored_overlap() {
    let database = Database::new("exclusive");
    add_keys(&*database.store, 4);
    add_records(&*database.store, 3000);
    let log = Arc::new(Log::default());
    let public_key = signer::generate(2048).unwrap().public_key().clone();
    let fenced: u64 = thread::scope(|scope| {
        let nodes: Vec<_> = (0..NODES)
            .map(|number| {
                let store = Arc::new(FaultyStore::new(open(&database.url)));
                let (public_key, log) = (public_key.clone(), Arc::clone(&log));
                scope.spawn(move || run(Node { number, store, public_key, log }))
            })
            .collect();
        nodes.into_iter().map(|node| node.join().unwrap()).sum()
    });
    assert_eq!(database.store.status().unwrap().signed, 3000);

    let mut stored = HashSet::new();
    database
        .store
        .read_signed(&"1-3000".parse().unwrap(), &mut |row| {
            let (_, signature) = row.signature.unwrap();
            assert!(stored.insert(signature.to_vec()));
        })
        .unwrap();
    let operations = log.operations.lock().unwrap();
    let dropped = operations.iter().filter(|operation| !is_stored(operation, &stored)).count();
    assert!(fenced > 0 && dropped > 0, "{fenced} batches were fenced, {dropped} operations dropped");
    for (i, one) in operations.iter().enumerate() {
        for other in &operations[..i] {
            let overlap = one.key == other.key && one.begun < other.ended && other.begun < one.ended;
            let excused = one.node != other.node && !(is_stored(one, &stored) && is_stored(other, &stored));
            assert!(!overlap || excused, "key {} was used twice at once", one.key);
        }
    }
    println!("measured: {} operations, {dropped} of them dropped, {fenced} batches fenced", operations.len());
}

fn is_stored(operation: &Operation, stored: &HashSet<Vec<u8>>) -> bool {
    operation.signatures.iter().all(|signature| stored.contains(signature))
}

/// Signs until nothing waits any more; returns how many of its batches were fenced, or given back.
fn run(node: Node) -> u64 {
    let settings = Settings {
        batch_size: 10,
        signers: 2,
        lease_ttl: LEASE,
        lease_grace: Duration::from_millis(200),
        node_name: format!("node {}", node.number),
        ..Settings::default()
    };
    let store = Arc::clone(&node.store);
    let parts = Parts::new(settings, Arc::new(Opener(Arc::new(node))), Mode::Drain);
    // Whoever finds nothing may be there before another gives its batches back.
    loop {
        match actix_rt::System::new().block_on(actors::run(parts.clone(), store.clone())).unwrap() {
            Ending::Drained { held_elsewhere: 0 } => {
                return parts.counters.fenced() + parts.counters.failed();
            }
            _ => lasting(Duration::from_millis(50)),
        }
    }
}
