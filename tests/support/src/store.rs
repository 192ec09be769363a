//! The usual steps of a store, with made-up keys and signatures.

use std::{path::PathBuf, sync::Arc, time::Duration};

use signwave::{
    anchors::AnchorAddress,
    domain::{
        BatchId, By, Contents, Epoch, Fingerprint, InsertVerdict, KeyId, KeyLimits, KeyMaterial, Lease,
        NodeId, OpenBatch, Reach, RecordId, Scheme, SignatureBuf, SignedBatch, Who,
    },
    signer::digest,
    store::{
        self, AddKeyVerdict, DatabaseUrl, NewKey, NewRecord, OnConflict, OpenBatches, OpenedBatches, Store,
        StoreError,
    },
};

pub const MINUTE: Duration = Duration::from_secs(60);

/// Length of the made-up signatures.
pub const WIDTH: usize = 256;

/// Who changes keys and tokens in tests.
pub fn by() -> By {
    By::without_request(Who::CommandLine("tester".to_owned()))
}

pub fn new_key(number: u8) -> NewKey {
    NewKey {
        fingerprint: Fingerprint([number; 32]),
        public_key: vec![number; 294],
        bits: 2048,
        material: KeyMaterial::Sealed(vec![number; 1250]),
        limits: KeyLimits::default(),
    }
}

pub fn add_keys(store: &dyn Store, count: u8) -> Vec<KeyId> {
    let add = |number| match store.add_key(&new_key(number), &by()).unwrap() {
        AddKeyVerdict::Added(id) => id,
        AddKeyVerdict::AlreadyThere(id) => panic!("key {id} is there already"),
    };
    (1..=count).map(add).collect()
}

pub fn add_records(store: &dyn Store, count: usize) -> Vec<RecordId> {
    let records = vec![NewRecord { external_id: None, payload: b"payload" }; count];
    let id = |verdict| match verdict {
        InsertVerdict::Inserted(id) => id,
        other => panic!("{other:?}"),
    };
    store.insert_records(&records, OnConflict::Stop).unwrap().into_iter().map(id).collect()
}

/// Adds records of which no two are the same.
pub fn add_different_records(store: &dyn Store, count: usize) {
    let there = store.counts().unwrap().records as usize;
    let payloads: Vec<_> = (there..there + count).map(|i| format!("record {i}")).collect();
    let record = |payload| NewRecord { external_id: None, payload: str::as_bytes(payload) };
    store
        .insert_records(&payloads.iter().map(|payload| record(payload)).collect::<Vec<_>>(), OnConflict::Stop)
        .unwrap();
}

pub fn open(store: &dyn Store, batch_size: usize, keep_open: usize, partial: bool) -> OpenedBatches {
    store.open_batches(OpenBatches { batch_size, keep_open, partial }).unwrap()
}

/// Forms batches of all records.
pub fn open_all(store: &dyn Store, batch_size: usize) -> usize {
    open(store, batch_size, usize::MAX, true).opened
}

pub fn register(store: &dyn Store) -> NodeId {
    store.register_node("node", MINUTE, &Reach::default()).unwrap()
}

pub fn lease(store: &dyn Store, node: NodeId, limit: usize) -> Vec<Lease> {
    store.lease(node, Scheme::Ps256, limit, &Reach::default()).unwrap()
}

/// The same lease once more, as only a test may have it.
pub fn copy(lease: &Lease) -> Lease {
    forge(lease, lease.batch(), lease.node(), lease.epoch())
}

/// As `lease`, but of another batch or node, or with another number.
pub fn forge(lease: &Lease, batch: BatchId, node: NodeId, epoch: Epoch) -> Lease {
    let open = OpenBatch { id: batch, epoch: Epoch(epoch.0 - 1), records: lease.records().clone() };
    open.lease(lease.key(), node, lease.scheme())
}

/// Stands in for hashing: as many digests as the lease has records.
pub fn contents(lease: &Lease) -> Contents {
    let mut contents = Contents::default();
    for record in lease.records().iter() {
        contents.push(digest(lease.scheme().digest(), &record.0.to_be_bytes()), None);
    }
    contents
}

/// Stands in for signing: no two signatures of it are the same, not even of one record.
pub fn sign(lease: Lease) -> SignedBatch {
    let mut signatures = SignatureBuf::with_capacity(WIDTH, lease.records().len() as usize);
    let contents = contents(&lease);
    for record in lease.records().iter() {
        let signature = signatures.push_zeroed();
        signature[..8].copy_from_slice(&record.0.to_be_bytes());
        signature[8..16].copy_from_slice(&lease.epoch().0.to_be_bytes());
        signature[16..24].copy_from_slice(&lease.key().0.to_be_bytes());
    }
    lease.signed(&contents, signatures).unwrap()
}

/// Opens a database with anchors in files.
pub fn open_with(url: &DatabaseUrl, anchors: &[PathBuf]) -> Result<Arc<dyn Store>, StoreError> {
    store::open_with(url, store::CONNECTIONS, &addresses(anchors))
}

/// The addresses of anchors in files.
pub fn addresses(paths: &[PathBuf]) -> Vec<AnchorAddress> {
    paths.iter().cloned().map(AnchorAddress::from).collect()
}
