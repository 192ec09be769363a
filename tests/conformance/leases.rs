//! Leasing and giving back.

use signwave::{
    domain::{
        BatchId, BatchState, Epoch, IdleKeys, KeyId, KeyMaterial, KeyState, KeyUse, LimitChange, NodeId,
        Reach, Scheme,
    },
    store::{BatchesByState, Inventory, NewKey, Store, StoreError},
};
use support::{
    promises::Promises,
    random::Random,
    store::{MINUTE, add_keys, add_records, by, lease, new_key, open_all, register, sign},
    tested_store::TestedStore,
};

use super::commit_one;

fn setup(tested: &TestedStore, keys: u8, batches: usize) -> NodeId {
    let store = &*tested.store;
    add_keys(store, keys);
    add_records(store, batches);
    open_all(store, 1);
    register(store)
}

pub fn oldest_batches_are_paired_with_least_recently_used_keys(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 3, 6);
    let leases = store.lease(node, Scheme::Rs512, 2, &Reach::default()).unwrap();
    let pairs: Vec<_> = leases.iter().map(|lease| (lease.batch().0, lease.key().0)).collect();
    assert_eq!(pairs, [(1, 1), (2, 2)]);
    for (lease, row) in leases.into_iter().zip(store.batches(BatchId(0), 2).unwrap()) {
        assert_eq!((lease.node(), lease.epoch(), lease.scheme()), (node, Epoch(1), Scheme::Rs512));
        assert_eq!((row.key, row.node, row.scheme), (Some(lease.key()), Some(node), Some(Scheme::Rs512)));
        assert_eq!((row.epoch, &row.records), (lease.epoch(), lease.records()));
        commit_one(store, sign(lease));
    }
    let pairs: Vec<_> = lease(store, node, 9).iter().map(|lease| (lease.batch().0, lease.key().0)).collect();
    assert_eq!(pairs, [(3, 3), (4, 1), (5, 2)], "in the order of use");
    let order: Vec<_> = store.keys().unwrap().iter().map(|key| key.last_leased).collect();
    assert_eq!(order, [4, 5, 3], "which rises in the order of pairing");
}

/// Random leases, releases, commits and changes of states and limits; each lease must be what the rule says.
pub fn the_order_of_keys_is_that_of_the_domain_rule(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 7);
    let mut random = Random::new();
    for _ in 0..60 {
        add_records(store, 1 + random.below(4) as usize);
        open_all(store, 9);
    }
    let node = register(store);
    let mut held = Vec::new();
    for _ in 0..60 {
        let mut dice = |sides: u64| random.below(sides);
        match dice(5) {
            0 if !held.is_empty() => {
                commit_one(store, sign(held.swap_remove(dice(held.len() as u64) as usize)));
            }
            1 if !held.is_empty() => {
                let lease: signwave::domain::Lease = held.swap_remove(dice(held.len() as u64) as usize);
                assert_eq!(store.release(&[(lease.batch(), lease.epoch())]).unwrap(), 1);
            }
            2 => {
                let state = [KeyState::Active, KeyState::Disabled, KeyState::Suspended][dice(3) as usize];
                store.set_key_state(KeyId(1 + dice(7) as i64), state, None, &by()).unwrap();
            }
            3 => {
                let limit = Some(1 + dice(12) as i64).filter(|_| dice(3) > 0);
                let limit = limit.map(|limit| limit.try_into().unwrap());
                let change = LimitChange { max_signatures: Some(limit), ..LimitChange::default() };
                store.set_key_limits(KeyId(1 + dice(7) as i64), &change, &by()).unwrap();
            }
            _ => {
                let limit = dice(4) as usize;
                let expected = chosen(store, limit);
                let leases = lease(store, node, limit);
                let pairs: Vec<_> = leases.iter().map(|lease| (lease.batch(), lease.key())).collect();
                assert_eq!(pairs, expected);
                held.extend(leases);
            }
        }
    }
    Promises::default().check(store);
}

pub fn only_keys_within_reach_are_leased_and_the_others_are_reported(tested: &TestedStore) {
    let store = &*tested.store;
    let elsewhere =
        |custody: &str| KeyMaterial::Elsewhere { custody: custody.to_owned(), location: "a".to_owned() };
    for (number, custody) in [(1, Some("hsm1")), (2, None), (3, Some("hsm")), (4, Some("hsm1"))] {
        let key = new_key(number);
        let material = custody.map_or(key.material.clone(), elsewhere);
        store.add_key(&NewKey { material, ..key }, &by()).unwrap();
    }
    add_records(store, 4);
    open_all(store, 1);
    let [database, hsm1] = ["database", "hsm1"].map(Reach::from);
    let unreachable = || {
        let status = store.status().unwrap();
        status.unreachable().map(|(custodian, keys)| (custodian.to_owned(), keys)).collect::<Vec<_>>()
    };
    assert_eq!(unreachable(), [], "it is not known who will be at work");
    let node = store.register_node("without", MINUTE, &database).unwrap();
    assert_eq!(unreachable(), [("hsm".to_owned(), 1), ("hsm1".to_owned(), 2)]);
    let other = store.register_node("with", MINUTE, &hsm1).unwrap();
    assert_eq!(unreachable(), [("hsm".to_owned(), 1)]);
    let keys = |node, reach: &Reach| {
        let leases = store.lease(node, Scheme::Ps256, 9, reach).unwrap();
        leases.iter().map(|lease| lease.key().0).collect::<Vec<_>>()
    };
    assert_eq!(keys(node, &Reach::from("")), [] as [i64; 0]);
    assert_eq!(keys(node, &database), [2]);
    assert_eq!(keys(other, &hsm1), [1, 4], "in the order of use, within the reach");
    let status = store.status().unwrap();
    assert_eq!(
        (status.usable_keys(), status.usable_within(&hsm1), status.usable_within(&database)),
        (4, 2, 1)
    );
    let reaches: Vec<_> = status.nodes.iter().map(|node| node.reach.to_string()).collect();
    assert_eq!(reaches, ["database", "hsm1"]);
    let custody: Vec<_> = store.keys().unwrap().into_iter().map(|key| key.custody).collect();
    assert_eq!(custody, ["hsm1", "database", "hsm", "hsm1"]);
}

/// The pairs that the rule makes.
fn chosen(store: &dyn Store, limit: usize) -> Vec<(BatchId, KeyId)> {
    let keys = store.keys().unwrap();
    let mut idle = IdleKeys::least_recently_used(keys.iter().map(|key| KeyUse {
        id: key.id,
        state: key.state,
        barred: key.barred.is_some(),
        leased: key.leased_batch.is_some(),
        last_leased: key.last_leased,
        left: key.limits.max_signatures.map(|most| most.get() - key.signature_count),
    }));
    let batches = store.batches(BatchId(0), usize::MAX).unwrap();
    let open = batches.iter().filter(|batch| batch.state == BatchState::Open);
    open.filter_map(|batch| Some((batch.id, idle.take(batch.records.len() as i64)?))).take(limit).collect()
}

pub fn a_key_in_use_is_not_leased_again(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 1, 3);
    let other = register(store);
    let mut leases = lease(store, node, 3);
    assert_eq!(leases.len(), 1);
    assert_eq!(lease(store, node, 3), []);
    assert_eq!(lease(store, other, 3), []);
    commit_one(store, sign(leases.remove(0)));
    assert_eq!(lease(store, other, 3).len(), 1);
}

pub fn fewer_are_leased_when_batches_or_keys_run_out(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 4, 2);
    assert_eq!(lease(store, node, 0), []);
    assert_eq!(lease(store, node, usize::MAX).len(), 2);
    assert_eq!(lease(store, node, 1), []);
}

pub fn a_node_that_is_not_registered_leases_nothing(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 1, 1);
    let stranger = NodeId(node.0 + 100);
    assert!(matches!(
        store.lease(stranger, Scheme::Ps256, 1, &Reach::default()),
        Err(StoreError::Refused(_))
    ));
    store.remove_node(node).unwrap();
    assert!(matches!(store.lease(node, Scheme::Ps256, 1, &Reach::default()), Err(StoreError::Refused(_))));
    assert_eq!(store.status().unwrap().batches, BatchesByState { open: 1, ..Default::default() });
    let last = register(store);
    assert_eq!(lease(store, last, 1).len(), 1);
    let idle = store.lease(stranger, Scheme::Ps256, 1, &Reach::default());
    assert!(matches!(idle, Err(StoreError::Refused(_))), "though nothing is left to lease: {idle:?}");
}

pub fn a_release_counts_only_what_still_stood(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 3, 3);
    let mut leases = lease(store, node, 3);
    let ids: Vec<_> = leases.iter().map(|lease| (lease.batch(), lease.epoch())).collect();
    commit_one(store, sign(leases.remove(0)));
    assert_eq!(store.release(&[]).unwrap(), 0);
    assert_eq!(
        store.release(&[(ids[1].0, Epoch(0)), (ids[1].0, Epoch(2)), (BatchId(99), Epoch(1))]).unwrap(),
        0
    );
    assert_eq!(store.release(&ids).unwrap(), 2, "the first one is signed");
    assert_eq!(store.release(&ids).unwrap(), 0, "and now all are lost");
    let again = lease(store, node, 3);
    assert_eq!(
        again.iter().map(|lease| (lease.batch().0, lease.epoch().0)).collect::<Vec<_>>(),
        [(2, 3), (3, 3)]
    );
}

pub fn an_inventory_names_what_is_held_and_what_is_not_stored_any_more(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 4, 5);
    let other = register(store);
    let mut leases = lease(store, node, 3);
    lease(store, other, 1);
    let name = |batch, epoch| (BatchId(batch), Epoch(epoch));
    commit_one(store, sign(leases.remove(1)));
    let inventory = store.inventory(node, &[name(2, 1)]).unwrap();
    assert_eq!((inventory.held, inventory.lost), (vec![name(1, 1), name(3, 1)], vec![]));
    // Another epoch, another state, another holder, no such batch: in the order given.
    let stored = [name(9, 1), name(2, 2), name(4, 1), name(2, 1), name(5, 0), name(1, 1)];
    let inventory = store.inventory(other, &stored).unwrap();
    assert_eq!(inventory.held, [name(4, 1)]);
    assert_eq!(inventory.lost, [name(9, 1), name(2, 2), name(4, 1), name(5, 0), name(1, 1)]);
    store.remove_node(node).unwrap();
    assert_eq!(store.inventory(node, &[]).unwrap(), Inventory::default(), "who is gone holds nothing");
}
