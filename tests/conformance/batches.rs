//! Forming batches.

use signwave::{
    domain::{BatchId, BatchState, Epoch},
    store::OpenedBatches,
};
use support::{
    store::{add_keys, add_records, lease, open, open_all, register},
    tested_store::TestedStore,
};

fn runs(tested: &TestedStore) -> Vec<String> {
    let batches = tested.store.batches(BatchId(0), usize::MAX).unwrap();
    batches.iter().map(|batch| batch.records.to_string()).collect()
}

pub fn batches_are_formed_full_until_enough_are_open(tested: &TestedStore) {
    let store = &*tested.store;
    assert_eq!(open(store, 10, 3, true), OpenedBatches::default());
    add_records(store, 50);
    let first = open(store, 10, 3, false);
    assert_eq!((first.opened, first.open, first.leased), (3, 3, 0));
    assert!(first.waiting.is_some_and(|waiting| (1..=20).contains(&waiting)));
    assert_eq!(first.waiting_at_most, 20);
    assert_eq!(open(store, 10, 3, false), OpenedBatches { opened: 0, ..first }, "enough are open");
    add_keys(store, 2);
    lease(store, register(store), 2);
    let second = open(store, 10, 3, false);
    assert_eq!((second.opened, second.open, second.leased), (2, 3, 2));
    assert_eq!((second.waiting, second.waiting_at_most), (None, 0));
    assert_eq!(runs(tested), ["1-10", "11-20", "21-30", "31-40", "41-50"]);
    let batches = store.batches(BatchId(0), 1).unwrap();
    assert_eq!(batches[0].epoch, Epoch(1));
}

pub fn a_partial_batch_is_formed_only_when_asked_for(tested: &TestedStore) {
    let store = &*tested.store;
    add_records(store, 25);
    let full = open(store, 10, 9, false);
    let waits = OpenedBatches { waiting: Some(5), waiting_at_most: 5, ..OpenedBatches::default() };
    assert_eq!(full, OpenedBatches { opened: 2, open: 2, ..waits });
    assert_eq!(open(store, 10, 9, false), OpenedBatches { opened: 0, ..full });
    let partial = open(store, 10, 9, true);
    assert_eq!(partial, OpenedBatches { opened: 1, open: 3, ..OpenedBatches::default() });
    assert_eq!(runs(tested), ["1-10", "11-20", "21-25"]);
    add_records(store, 1);
    assert_eq!(open(store, 1, 3, true).opened, 0, "not beyond what should be open");
    assert_eq!(open(store, 1, 4, false).opened, 1);
    assert_eq!(store.batches(BatchId(3), 9).unwrap()[0].state, BatchState::Open);
}

pub fn nothing_waits_only_when_nothing_is_left(tested: &TestedStore) {
    let store = &*tested.store;
    add_records(store, 20_001);
    for (batch_size, keep_open, partial, opened, waits) in [
        (10, 0, true, 0, true),
        (20_002, 9, false, 0, true),
        (10, 1000, true, 1000, true),
        (10, 1999, true, 999, true),
        (10, 2000, false, 1, true),
        (2, 5000, false, 0, true),
        (2, 5000, true, 1, false),
        (2, 5000, true, 0, false),
    ] {
        let result = open(store, batch_size, keep_open, partial);
        assert_eq!((result.opened, result.waiting.is_some()), (opened, waits), "{batch_size} {keep_open}");
        assert!(result.waiting.is_none_or(|waiting| waiting >= 1));
    }
    assert_eq!(store.status().unwrap().open, 20_001);
}

pub fn gaps_in_ids_become_runs(tested: &TestedStore) {
    add_records(&*tested.store, 2);
    for id in [4, 5, 9, 12, 13] {
        tested.insert_at(id).unwrap();
    }
    assert_eq!(open(&*tested.store, 3, 2, true).opened, 2);
    assert_eq!(runs(tested), ["1-2,4", "5,9,12"]);
    assert_eq!(open_all(&*tested.store, 3), 1);
    assert_eq!(runs(tested)[2], "13");
    let mut shown = Vec::new();
    tested.store.read_payloads(&"5,9,12".parse().unwrap(), &mut |id, _, _| shown.push(id.0)).unwrap();
    assert_eq!(shown, [5, 9, 12]);
}

pub fn no_record_can_appear_below_the_frontier(tested: &TestedStore) {
    add_records(&*tested.store, 2);
    tested.insert_at(9).unwrap();
    tested.insert_at(5).unwrap();
    open_all(&*tested.store, 100);
    for id in [1, 3, 8, 9] {
        assert!(tested.insert_at(id).is_err(), "{id}");
    }
    tested.insert_at(10).unwrap();
    assert_eq!(tested.store.status().unwrap().unbatched, 1);
}

pub fn batches_are_listed_in_pages(tested: &TestedStore) {
    let store = &*tested.store;
    add_records(store, 5);
    open_all(store, 1);
    let ids = |after, limit| -> Vec<i64> {
        store.batches(BatchId(after), limit).unwrap().iter().map(|batch| batch.id.0).collect()
    };
    assert_eq!(ids(0, 2), [1, 2]);
    assert_eq!(ids(2, 9), [3, 4, 5]);
    assert!(ids(5, 9).is_empty());
    assert!(ids(0, 0).is_empty());
}
