//! Nodes: leases that run out, processes that die.

use std::time::Duration;

use signwave::{
    domain::{BatchState, CommitVerdict, Epoch, NodeId, Reach, Scheme},
    store::{BatchesByState, Reclaimed, RenewVerdict, StoreError},
};
use support::{
    store::{MINUTE, add_keys, add_records, lease, open_all, register, sign},
    tested_store::TestedStore,
};

use super::commit_one;

const GRACE: Duration = Duration::from_secs(5);

fn setup(tested: &TestedStore) {
    add_keys(&*tested.store, 4);
    add_records(&*tested.store, 8);
    open_all(&*tested.store, 2);
}

fn reclaimed(node: NodeId, batches: u64) -> Vec<Reclaimed> {
    vec![Reclaimed { node, name: "node".to_owned(), batches }]
}

pub fn a_renewed_lease_stands_and_a_removed_node_is_gone(tested: &TestedStore) {
    let store = &*tested.store;
    let node = store.register_node("a name", MINUTE, &Reach::default()).unwrap();
    let before = store.status().unwrap().nodes.remove(0);
    assert_eq!((before.id, before.name.as_str(), before.batches), (node, "a name", 0));
    assert!(before.started_at < before.lease_until && before.started_at.len() == 24);
    let reach = Reach::from("database,token");
    assert_eq!(store.renew_node(node, MINUTE * 60, &reach).unwrap(), RenewVerdict::Renewed);
    let after = store.status().unwrap().nodes.remove(0);
    assert!(after.lease_until > before.lease_until);
    assert_eq!((before.reach, after.reach), (Reach::default(), reach));
    assert_eq!(store.renew_node(node, Duration::MAX, &Reach::default()).unwrap(), RenewVerdict::Renewed);
    assert_eq!(store.remove_node(node).unwrap(), 0);
    assert_eq!(store.renew_node(node, MINUTE, &Reach::default()).unwrap(), RenewVerdict::Gone);
    assert_eq!(store.remove_node(node).unwrap(), 0, "once more is harmless");
    assert_eq!(store.status().unwrap().nodes, []);
}

pub fn removing_a_node_gives_back_what_it_holds(tested: &TestedStore) {
    setup(tested);
    let store = &*tested.store;
    let (node, other) = (register(store), register(store));
    lease(store, node, 2);
    lease(store, other, 1);
    assert_eq!(store.remove_node(node).unwrap(), 2);
    let status = store.status().unwrap();
    assert_eq!((status.batches.open, status.batches.leased, status.batches.signed), (3, 1, 0));
    assert_eq!((status.nodes.len(), status.nodes[0].batches), (1, 1));
    assert_eq!(lease(store, other, 1)[0].epoch(), Epoch(3));
}

pub fn a_node_is_reclaimed_when_its_lease_and_the_grace_ran_out(tested: &TestedStore) {
    setup(tested);
    let store = &*tested.store;
    let (node, me) = (register(store), register(store));
    lease(store, node, 3);
    tested.let_time_pass(MINUTE - GRACE);
    assert_eq!(store.reclaim(Some(me), GRACE).unwrap(), [], "its lease stands");
    tested.let_time_pass(GRACE + GRACE / 2);
    assert_eq!(store.reclaim(Some(me), MINUTE).unwrap(), [], "the grace has not run out");
    store.renew_node(me, MINUTE, &Reach::default()).unwrap();
    tested.let_time_pass(GRACE);
    assert_eq!(store.reclaim(Some(me), GRACE).unwrap(), reclaimed(node, 3));
    assert_eq!(store.reclaim(Some(me), GRACE).unwrap(), []);
    assert_eq!(store.status().unwrap().batches, BatchesByState { open: 4, ..Default::default() });
    store.renew_node(me, MINUTE, &Reach::default()).unwrap();
    assert_eq!(store.renew_node(node, MINUTE, &Reach::default()).unwrap(), RenewVerdict::Gone);
}

pub fn a_node_whose_process_died_is_reclaimed_at_once(tested: &TestedStore) {
    setup(tested);
    let store = &*tested.store;
    let other = tested.other();
    let (node, me) = (register(&*other), register(store));
    lease(&*other, node, 2);
    assert_eq!(store.reclaim(Some(me), GRACE).unwrap(), [], "it lives");
    tested.kill(other, node);
    assert_eq!(store.reclaim(Some(me), GRACE).unwrap(), reclaimed(node, 2));
    assert_eq!(store.reclaim(None, GRACE).unwrap(), [], "its own nodes are alive");
}

pub fn a_reclaimed_node_can_neither_lease_nor_commit(tested: &TestedStore) {
    setup(tested);
    let store = &*tested.store;
    let node = register(store);
    let late = lease(store, node, 1).remove(0);
    tested.let_time_pass(MINUTE * 2);
    assert_eq!(store.reclaim(None, GRACE).unwrap(), reclaimed(node, 1));
    assert!(matches!(store.lease(node, Scheme::Ps256, 1, &Reach::default()), Err(StoreError::Refused(_))));
    let fenced = CommitVerdict::Fenced { state: BatchState::Open, epoch: Epoch(2), node: None };
    assert_eq!(commit_one(store, sign(late)), fenced);
    let again = lease(store, register(store), 1).remove(0);
    assert_eq!(again.epoch(), Epoch(3));
    assert_eq!(commit_one(store, sign(again)), CommitVerdict::Committed);
}

pub fn a_clock_that_is_set_back_makes_no_lease_longer(tested: &TestedStore) {
    setup(tested);
    let store = &*tested.store;
    let (dead, patient, me) = (register(store), register(store), register(store));
    assert_eq!(store.renew_node(patient, MINUTE * 60, &Reach::default()).unwrap(), RenewVerdict::Renewed);
    lease(store, dead, 2);
    lease(store, patient, 1);
    tested.set_clock_back(MINUTE * 600);
    assert_eq!(store.reclaim(Some(me), GRACE).unwrap(), [], "nobody is dead for that");
    tested.let_time_pass(MINUTE);
    assert_eq!(store.reclaim(Some(me), GRACE).unwrap(), [], "its lease ran from when the step was seen");
    store.renew_node(me, MINUTE, &Reach::default()).unwrap();
    tested.let_time_pass(GRACE * 2);
    assert_eq!(store.reclaim(Some(me), GRACE).unwrap(), reclaimed(dead, 2), "and no longer");
    // Each node's lease has the length that it asked for last, not ours.
    tested.let_time_pass(MINUTE * 57);
    assert_eq!(store.reclaim(Some(me), GRACE).unwrap(), []);
    tested.let_time_pass(MINUTE * 3);
    assert_eq!(store.reclaim(Some(me), GRACE).unwrap().len(), 1, "nor an hour and more");
}

pub fn nobody_reclaims_itself(tested: &TestedStore) {
    setup(tested);
    let store = &*tested.store;
    let node = register(store);
    lease(store, node, 1);
    tested.let_time_pass(MINUTE * 2);
    assert_eq!(store.reclaim(Some(node), GRACE).unwrap(), []);
    assert_eq!(
        store.renew_node(node, MINUTE, &Reach::default()).unwrap(),
        RenewVerdict::Renewed,
        "late, but not too late"
    );
    assert_eq!(store.reclaim(None, GRACE).unwrap(), []);
}

pub fn node_ids_are_never_used_twice(tested: &TestedStore) {
    let store = &*tested.store;
    let ids: Vec<_> = (0..3)
        .map(|_| {
            let node = register(store);
            store.remove_node(node).unwrap();
            node
        })
        .collect();
    assert_eq!(ids, [NodeId(1), NodeId(2), NodeId(3)]);
}
