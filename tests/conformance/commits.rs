//! Committing, fencing, and reading back.

use signwave::domain::{BatchId, BatchState, CommitVerdict, Epoch, NodeId, Outcome, RecordId, Runs};
use support::{
    promises::Promises,
    store::{WIDTH, add_keys, add_records, copy, forge, lease, open_all, register, sign},
    tested_store::TestedStore,
};

use super::commit_one;

fn setup(tested: &TestedStore, batches: usize, batch_size: usize) -> NodeId {
    let store = &*tested.store;
    add_keys(store, batches as u8);
    add_records(store, batches * batch_size);
    open_all(store, batch_size);
    register(store)
}

pub fn a_commit_stores_every_signature_of_a_batch(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 2, 40);
    let leases = lease(store, node, 1);
    let batch = leases.into_iter().map(sign).next().unwrap();
    let expected: Vec<_> = batch.signatures().map(|(record, value)| (record, value.to_vec())).collect();
    assert_eq!(store.commit(&[]).unwrap(), []);
    assert_eq!(commit_one(store, batch), CommitVerdict::Committed);
    let mut shown = Vec::new();
    store
        .read_signed(&"1-80".parse::<Runs>().unwrap(), &mut |row| {
            assert_eq!(row.payload, b"payload");
            if let Some((batch, value)) = row.signature {
                assert_eq!((batch, value.len()), (BatchId(1), WIDTH));
                shown.push((row.record, value.to_vec()));
            }
        })
        .unwrap();
    assert_eq!(shown, expected);
    let row = store.batch_of(RecordId(40)).unwrap().unwrap();
    assert_eq!((row.id, row.state, row.node), (BatchId(1), BatchState::Signed, None));
    assert!(row.signed_at.is_some_and(|time| time.len() == 24 && time.ends_with('Z')));
    assert_eq!(store.batch_of(RecordId(41)).unwrap(), None);
    assert_eq!(store.keys().unwrap()[0].signature_count, 40);
}

pub fn a_batch_of_any_size_is_committed(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 1, 1);
    let mut promises = Promises::default();
    for size in [1, 2, 15, 16, 17, 31, 32, 33, 100] {
        add_records(store, size);
        open_all(store, size);
        for lease in lease(store, node, 1) {
            assert_eq!(commit_one(store, sign(lease)), CommitVerdict::Committed);
        }
        promises.check(store);
    }
}

pub fn a_commit_is_fenced_by_epoch_node_and_state(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 1, 3);
    let lease_one = || lease(store, node, 1).remove(0);
    let first = lease_one();
    store.release(&[(first.batch(), first.epoch())]).unwrap();
    let open = CommitVerdict::Fenced { state: BatchState::Open, epoch: Epoch(2), node: None };
    assert_eq!(commit_one(store, sign(copy(&first))), open, "by state");

    let second = lease_one();
    let leased = CommitVerdict::Fenced { state: BatchState::Leased, epoch: Epoch(3), node: Some(node) };
    assert_eq!(commit_one(store, sign(first)), leased, "by epoch");
    let foreign = forge(&second, second.batch(), NodeId(node.0 + 1), second.epoch());
    assert_eq!(commit_one(store, sign(foreign)), leased, "by node");
    let later = forge(&second, second.batch(), node, second.epoch().next());
    assert_eq!(commit_one(store, sign(later)), leased, "by a later epoch");
    assert_eq!(store.counts().unwrap().signatures, 0, "a fenced batch stores nothing");

    assert_eq!(commit_one(store, sign(copy(&second))), CommitVerdict::Committed);
    let signed = CommitVerdict::Fenced { state: BatchState::Signed, epoch: Epoch(3), node: None };
    assert_eq!(commit_one(store, sign(second)), signed, "by having been signed");
    assert_eq!(store.keys().unwrap()[0].signature_count, 3);
}

pub fn a_fenced_batch_does_not_hinder_the_others(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 20, 7);
    let leases = lease(store, node, 20);
    store
        .release(&[(leases[4].batch(), leases[4].epoch()), (leases[19].batch(), leases[19].epoch())])
        .unwrap();
    let batches: Vec<_> = leases.into_iter().map(sign).collect();
    let verdicts = store.commit(&batches).unwrap();
    for (position, verdict) in verdicts.iter().enumerate() {
        assert_eq!(*verdict == CommitVerdict::Committed, position != 4 && position != 19, "{position}");
    }
    assert_eq!(store.counts().unwrap().signatures, 18 * 7);
}

pub fn the_same_batch_twice_in_one_commit_is_stored_once(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 1, 3);
    let old = lease(store, node, 1).remove(0);
    store.release(&[(old.batch(), old.epoch())]).unwrap();
    let lease = lease(store, node, 1).remove(0);
    let verdicts = store.commit(&[sign(copy(&lease)), sign(lease), sign(old)]).unwrap();
    let fenced = CommitVerdict::Fenced { state: BatchState::Signed, epoch: Epoch(3), node: None };
    assert_eq!(verdicts, [CommitVerdict::Committed, fenced, fenced]);
}

pub fn after_a_lost_reply_the_outcome_can_be_read_back(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 3, 2);
    let leases = lease(store, node, 3);
    let sent: Vec<_> = leases.iter().map(|lease| (lease.batch(), lease.epoch())).collect();
    store.release(&sent[2..]).unwrap();
    let batches: Vec<_> = leases.into_iter().map(sign).collect();
    assert_eq!(store.outcomes(&sent).unwrap(), [Outcome::NotStored, Outcome::NotStored, Outcome::Fenced]);
    store.commit(&batches[..1]).unwrap();
    assert_eq!(store.outcomes(&sent).unwrap(), [Outcome::Stored, Outcome::NotStored, Outcome::Fenced]);
    store.commit(&batches[1..2]).unwrap();
    assert_eq!(store.outcomes(&sent[1..2]).unwrap(), [Outcome::Stored], "the same bytes, sent again");
    assert_eq!(store.outcomes(&[(sent[0].0, Epoch(0))]).unwrap(), [Outcome::Fenced]);
    assert_eq!(store.outcomes(&[]).unwrap(), []);
}

pub fn a_batch_that_does_not_exist_is_fenced_and_hinders_no_other(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 2, 2);
    let mut leases = lease(store, node, 2);
    leases[1] = forge(&leases[1], BatchId(99), node, leases[1].epoch());
    let batches: Vec<_> = leases.into_iter().map(sign).collect();
    let fenced = CommitVerdict::Fenced { state: BatchState::Open, epoch: Epoch(0), node: None };
    assert_eq!(store.commit(&batches).unwrap(), [CommitVerdict::Committed, fenced]);
    assert_eq!(store.outcomes(&[(BatchId(99), Epoch(1))]).unwrap(), [Outcome::Fenced]);
    assert_eq!(store.counts().unwrap().signatures, batches[0].lease().records().len());
}
