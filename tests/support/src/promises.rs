//! The checker of all promises over a store, to be called after each step while nobody else is at work.

use std::collections::HashMap;

use signwave::{
    domain::{
        BatchId, BatchState, KeyId, Place, RecordId, Runs,
        promises::{Breach, History, Invalid, Moment, RecordFact},
    },
    signer::{Engine, PublicKey, digest},
    store::{BatchRow, BatchesByState, KeyRow, Store},
};

/// What was true at the last step, and must stay so.
///
/// By default signatures are verified with the keys that are stored; where a key is made up, as `new_key`
/// makes them, any signature will do.
#[derive(Default)]
pub struct Promises {
    history: History,
    verify: Option<Verify>,
}

/// Whether a signature is what it must be.
type Verify = Box<dyn Fn(Signed<'_>) -> bool + Send>;

/// A signature, and what it must be one of.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    pub batch: &'a BatchRow,
    pub key: &'a KeyRow,
    pub record: RecordId,
    pub payload: &'a [u8],
    pub signature: &'a [u8],
}

impl Promises {
    /// Where signatures are made up, `verify` knows how.
    pub fn verified_by(verify: impl Fn(Signed<'_>) -> bool + Send + 'static) -> Self {
        Self { history: History::default(), verify: Some(Box::new(verify)) }
    }

    /// A client was shown this signature: it is what is stored from now on.
    pub fn shown(&mut self, record: RecordId, signature: &[u8]) {
        assert_eq!(self.history.show(record, signature), None);
    }

    /// Every promise, and the database's own checks of itself.
    pub fn check(&mut self, store: &dyn Store) {
        self.check_rows(store);
        assert_eq!(store.audit().unwrap(), Vec::<String>::new());
    }

    /// Every promise.
    pub fn check_rows(&mut self, store: &dyn Store) {
        let (batches, keys) = (store.batches(BatchId(0), usize::MAX).unwrap(), store.keys().unwrap());
        let rows = read(store);
        let breaches = self.breaches(store, &batches, &keys, &rows);
        let named: Vec<_> = breaches.iter().map(|breach| format!("{}: {breach}", breach.promise())).collect();
        assert!(breaches.is_empty(), "{named:#?}");
        check_views(store, &batches, &keys, &rows);
    }

    fn breaches(
        &mut self,
        store: &dyn Store,
        batches: &[BatchRow],
        keys: &[KeyRow],
        rows: &[Row],
    ) -> Vec<Breach> {
        let facts: Vec<_> = rows.iter().map(Row::fact).collect();
        let counted: Vec<_> = keys.iter().map(KeyRow::fact).collect();
        let feed = store.feed(Place(0), usize::MAX).unwrap();
        let feed: Vec<_> = feed.into_iter().map(|row| (row.place, row.batch.id)).collect();
        let receipts = store.receipts(0, usize::MAX).unwrap();
        let moment = Moment {
            batches,
            records: &facts,
            keys: &counted,
            feed: &feed,
            unsequenced: &store.unsequenced().unwrap(),
            ledger: Some((&receipts, store.ledger().unwrap().head)),
            counts: store.counts().unwrap(),
        };
        let by_id: HashMap<KeyId, &KeyRow> = keys.iter().map(|key| (key.id, key)).collect();
        let breaches = moment.check(|batch, record, signature| {
            let key = batch.key.and_then(|key| by_id.get(&key).copied()).ok_or(Invalid::Value)?;
            let row = &rows[rows.partition_point(|row| row.record < record)];
            let signed = Signed { batch, key, record, payload: &row.payload, signature };
            let verify = self.verify.as_ref().map_or_else(|| verifies(signed), |verify| verify(signed));
            if verify { Ok(()) } else { Err(Invalid::Value) }
        });
        [breaches, self.history.see(&moment)].concat()
    }
}

/// A record as it was read.
struct Row {
    record: RecordId,
    payload: Vec<u8>,
    signature: Option<(BatchId, Vec<u8>)>,
}

impl Row {
    fn fact(&self) -> RecordFact<'_> {
        let signature = self.signature.as_ref().map(|(batch, value)| (*batch, value.as_slice()));
        RecordFact { record: self.record, waits: None, signature }
    }
}

fn read(store: &dyn Store) -> Vec<Row> {
    let everything: Runs = format!("1-{}", i64::MAX).parse().unwrap();
    let (mut rows, mut last) = (Vec::new(), RecordId(0));
    store
        .read_signed(&everything, &mut |row| {
            assert!(row.record >= last, "in id order");
            last = row.record;
            let signature = row.signature.map(|(batch, value)| (batch, value.to_vec()));
            rows.push(Row { record: row.record, payload: row.payload.to_vec(), signature });
        })
        .unwrap();
    rows
}

/// With the stored public key, where there is a real one.
fn verifies(signed: Signed<'_>) -> bool {
    let Ok(public_key) = PublicKey::from_spki(&signed.key.public_key) else { return true };
    let (verifier, scheme) = (Engine::default().verifier(&public_key).unwrap(), signed.batch.scheme.unwrap());
    verifier.verify(scheme, &digest(scheme.digest(), signed.payload), signed.signature)
}

/// What the store says in other words is the same.
fn check_views(store: &dyn Store, batches: &[BatchRow], keys: &[KeyRow], rows: &[Row]) {
    let (counts, status) = (store.counts().unwrap(), store.status().unwrap());
    let in_state = |state| batches.iter().filter(move |batch| batch.state == state);
    let records = |state| -> u64 { in_state(state).map(|batch| batch.records.len()).sum() };
    let [open, leased, signed, lost] = BatchState::ALL.map(|state| in_state(state).count() as u64);
    assert_eq!(status.batches, BatchesByState { open, leased, signed, lost });
    assert_eq!(status.lost, counts.in_lost);
    let sums = (status.open, status.leased, status.signed);
    assert_eq!(sums, (records(BatchState::Open), records(BatchState::Leased), records(BatchState::Signed)));
    assert_eq!(counts.batches, batches.len() as u64);
    assert_eq!((counts.unbatched, counts.records), (status.unbatched, status.records()));
    assert_eq!(counts.records, rows.len() as u64);
    for key in keys {
        let leased = in_state(BatchState::Leased).find(|batch| batch.key == Some(key.id));
        assert_eq!(key.leased_batch, leased.map(|batch| batch.id));
    }
    for (row, (named, _)) in rows.iter().filter_map(|row| row.signature.as_ref().map(|of| (row, of))) {
        assert_eq!(store.batch_of(row.record).unwrap().map(|batch| batch.id), Some(*named));
    }
}
