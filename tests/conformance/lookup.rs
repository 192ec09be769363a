//! Looking up one record, batch or key, or a page of them.

use std::time::Duration;

use signwave::{
    domain::{BatchId, BatchState, Epoch, Fingerprint, KeyId, KeyState, Reach, RecordId, Scheme},
    store::{
        BatchPage, BatchSummary, KeyOrder, KeyPage, NewRecord, OnConflict, RecordName, RecordRow, Store,
        Wanted,
    },
};
use support::{
    store::{add_keys, add_records, by, lease, new_key, open, open_all, register, sign},
    tested_store::TestedStore,
};

use super::commit_one;

const ALL: Wanted = Wanted { payload: true, unsigned_batch: true };

fn record(store: &dyn Store, id: i64, wanted: Wanted) -> RecordRow {
    store.record(RecordName::Id(RecordId(id)), wanted).unwrap().unwrap()
}

fn is_time(text: &str) -> bool {
    text.len() == 24 && text.ends_with('Z')
}

/// One batch of two signed records, one of two that is leased, an open one, and a record in none.
fn setup(store: &dyn Store) {
    add_keys(store, 2);
    let payload = [0xff, 0, b'x'];
    let named = NewRecord { external_id: Some("é/../1"), payload: &payload };
    store.insert_records(&[named], OnConflict::Stop).unwrap();
    add_records(store, 4);
    open_all(store, 2);
    let node = store.register_node("its name", Duration::from_secs(60), &Reach::default()).unwrap();
    let mut leases = lease(store, node, 2);
    commit_one(store, sign(leases.remove(0)));
    add_records(store, 1);
}

pub fn a_record_is_found_by_its_id_and_by_its_name(tested: &TestedStore) {
    let store = &*tested.store;
    setup(store);
    let by_id = record(store, 1, Wanted::default());
    assert_eq!((by_id.id, by_id.external_id.as_deref()), (RecordId(1), Some("é/../1")));
    assert_eq!((by_id.payload_length, &by_id.payload), (3, &None), "a payload is read when it is wanted");
    assert!(is_time(&by_id.created_at));
    let find = |name| store.record(RecordName::External(name), ALL).unwrap();
    assert_eq!(find("é/../1"), Some(RecordRow { payload: Some(vec![0xff, 0, b'x']), ..by_id }));
    assert_eq!((find("1"), find(""), find("é/../1 ")), (None, None, None));
    assert_eq!(record(store, 2, ALL).external_id, None);
    for id in [0, -1, 7, i64::MAX] {
        assert_eq!(store.record(RecordName::Id(RecordId(id)), ALL).unwrap(), None, "{id}");
    }
}

pub fn a_record_names_its_batch_and_shows_its_signature_once_that_is_signed(tested: &TestedStore) {
    let store = &*tested.store;
    setup(store);
    let signed = record(store, 2, Wanted::default());
    let mut stored = Vec::new();
    store
        .read_signed(&"2".parse().unwrap(), &mut |row| stored.extend_from_slice(row.signature.unwrap().1))
        .unwrap();
    assert_eq!(signed.signature, Some(stored));
    let batch = signed.batch.unwrap();
    assert_eq!((batch.id, batch.state, batch.epoch), (BatchId(1), BatchState::Signed, Epoch(1)));
    assert_eq!((batch.key, batch.scheme), (Some(new_key(1).fingerprint), Some(Scheme::Ps256)));
    assert_eq!(batch.node, None, "nobody holds it any more");
    let times = [Some(&batch.opened_at), batch.leased_at.as_ref(), batch.signed_at.as_ref()];
    assert!(
        times.iter().all(|time| time.is_some_and(|time| is_time(time))) && times.is_sorted(),
        "{times:?}"
    );

    let leased = record(store, 4, ALL);
    assert_eq!(leased.signature, None);
    let batch = leased.batch.unwrap();
    assert_eq!((batch.id, batch.state, batch.epoch), (BatchId(2), BatchState::Leased, Epoch(1)));
    assert_eq!((batch.key, batch.signed_at), (Some(new_key(2).fingerprint), None));
    assert!(batch.leased_at.is_some_and(|time| is_time(&time)));
    assert_eq!(batch.node.map(|(_, name)| name).as_deref(), Some("its name"));

    let open = record(store, 5, ALL).batch.unwrap();
    assert_eq!((open.id, open.state, open.key, open.node), (BatchId(3), BatchState::Open, None, None));
    assert_eq!((open.scheme, open.leased_at, open.signed_at), (None, None, None));
    assert_eq!(record(store, 6, ALL).batch, None, "it is in no batch yet");
    for id in [4, 5] {
        assert_eq!(record(store, id, Wanted::default()).batch, None, "it was not wanted");
    }
}

pub fn a_record_is_only_in_the_batch_that_names_it(tested: &TestedStore) {
    let store = &*tested.store;
    add_records(store, 2);
    for id in [4, 9] {
        tested.insert_at(id).unwrap();
    }
    assert_eq!(open(store, 3, 1, true).opened, 1);
    let of = |id| record(store, id, ALL).batch.map(|batch| batch.id);
    assert_eq!((of(1), of(4), of(9)), (Some(BatchId(1)), Some(BatchId(1)), None));
    open_all(store, 3);
    assert_eq!(of(9), Some(BatchId(2)));
}

pub fn a_batch_is_found_with_its_records(tested: &TestedStore) {
    let store = &*tested.store;
    setup(store);
    let (batch, records) = store.batch(BatchId(2)).unwrap().unwrap();
    assert_eq!((batch.first_record, batch.last_record), (RecordId(3), RecordId(4)));
    assert_eq!((batch.record_count, records), (2, "3-4".parse().unwrap()));
    assert_eq!(Some(batch), record(store, 3, ALL).batch);
    assert_eq!([0, 4].map(|id| store.batch(BatchId(id)).unwrap()), [None, None]);
}

pub fn batches_are_listed_newest_first_by_state_and_in_pages(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 6);
    add_records(store, 9);
    open_all(store, 1);
    let node = register(store);
    for (place, lease) in lease(store, node, 6).into_iter().enumerate() {
        // 1, 3 and 5 are signed; 2, 4 and 6 stay leased; 7, 8 and 9 are open.
        if place % 2 == 0 {
            commit_one(store, sign(lease));
        }
    }
    let ids = |state, before: Option<i64>, limit| -> Vec<i64> {
        let page = BatchPage { state, before: before.map(BatchId), limit };
        let found: Vec<BatchSummary> = store.latest_batches(page).unwrap();
        assert!(found.iter().all(|batch| state.is_none_or(|state| batch.state == state)));
        found.iter().map(|batch| batch.id.0).collect()
    };
    assert_eq!(ids(None, None, 99), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(ids(None, Some(4), 2), [3, 2]);
    assert_eq!(ids(Some(BatchState::Open), None, 2), [9, 8]);
    assert_eq!(ids(Some(BatchState::Open), Some(8), 9), [7]);
    assert_eq!(ids(Some(BatchState::Leased), None, 2), [6, 4]);
    assert_eq!(ids(Some(BatchState::Leased), Some(4), 9), [2]);
    assert_eq!(ids(Some(BatchState::Signed), None, 2), [5, 3]);
    assert_eq!(ids(Some(BatchState::Signed), Some(3), 9), [1]);
    assert!(ids(None, Some(1), 9).is_empty() && ids(None, None, 0).is_empty());
}

pub fn keys_are_listed_in_the_order_of_use_and_as_added(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 4);
    store.set_key_state(KeyId(4), KeyState::Retired, None, &by()).unwrap();
    add_records(store, 2);
    open_all(store, 1);
    lease(store, register(store), 1);
    let page = |order, state, limit| store.key_page(KeyPage { order, state, limit }).unwrap();
    let ids =
        |order, state, limit| -> Vec<i64> { page(order, state, limit).iter().map(|key| key.id.0).collect() };
    let (by_use, added) = (KeyOrder::Use(None), KeyOrder::Added(None));
    assert_eq!(ids(by_use, None, 9), [2, 3, 4, 1], "key 1 was used, so that it is the last");
    assert_eq!(ids(by_use, Some(KeyState::Active), 2), [2, 3]);
    assert_eq!(ids(KeyOrder::Use(Some((0, KeyId(3)))), None, 9), [4, 1]);
    assert_eq!(ids(KeyOrder::Use(Some((1, KeyId(1)))), None, 9), [0; 0]);
    assert_eq!(ids(added, None, 3), [1, 2, 3]);
    assert_eq!(ids(KeyOrder::Added(Some(KeyId(2))), Some(KeyState::Active), 9), [3]);
    assert_eq!(page(added, None, 9), store.keys().unwrap());
    assert_eq!(page(by_use, None, 9)[3].leased_batch, Some(BatchId(1)));
    assert_eq!(page(by_use, None, 0), []);
}

pub fn a_key_is_found_by_its_fingerprint(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 2);
    let keys = store.keys().unwrap();
    assert_eq!(store.key_named(&new_key(2).fingerprint).unwrap(), Some(keys[1].clone()));
    assert_eq!(store.key_named(&Fingerprint([9; 32])).unwrap(), None);
}

pub fn the_oldest_unsigned_record_is_found_wherever_it_waits(tested: &TestedStore) {
    let store = &*tested.store;
    let oldest = || store.oldest_unsigned().unwrap().map(|oldest| oldest.record.0);
    assert_eq!(oldest(), None);
    add_keys(store, 3);
    add_records(store, 4);
    assert_eq!(oldest(), Some(1), "in no batch");
    open(store, 1, 3, true);
    assert_eq!(oldest(), Some(1), "in an open batch");
    let mut leases = lease(store, register(store), 2);
    assert_eq!(oldest(), Some(1), "in a leased batch");
    let second = leases.remove(1);
    commit_one(store, sign(second));
    assert_eq!(oldest(), Some(1), "a batch after it is signed");
    commit_one(store, sign(leases.remove(0)));
    assert_eq!(oldest(), Some(3), "in an open batch again");
    let waits = store.oldest_unsigned().unwrap().unwrap();
    assert_eq!(waits.created_at, record(store, 3, ALL).created_at);
    assert!(waits.age < Duration::from_secs(600), "{:?}", waits.age);
    let node = register(store);
    commit_one(store, sign(lease(store, node, 1).remove(0)));
    assert_eq!(oldest(), Some(4), "in no batch, above the frontier");
    open_all(store, 1);
    commit_one(store, sign(lease(store, node, 1).remove(0)));
    assert_eq!(oldest(), None);
}
