//! Many at once, and much at random.

use std::{
    collections::BTreeSet,
    sync::{Arc, Barrier},
    thread,
};

use signwave::{
    domain::{BatchId, CommitVerdict, KeyId, KeyState, Lease, NodeId},
    store::{NewRecord, Store},
};

use super::copy;
use crate::support::{
    MINUTE, add_keys, add_records, lease, open, open_all, promises::Promises, register, sign,
};
use crate::worlds::World;

const THREADS: usize = 8;

/// Each thread is a process of its own, as far as the store can tell; all begin at the same moment.
fn all_at_once<T: Send>(world: &World, act: impl Fn(usize, &dyn Store) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(THREADS);
    let stores: Vec<Arc<dyn Store>> = (0..THREADS).map(|_| world.other()).collect();
    thread::scope(|scope| {
        let (start, act) = (&start, &act);
        let threads: Vec<_> = stores
            .iter()
            .enumerate()
            .map(|(number, store)| {
                scope.spawn(move || {
                    start.wait();
                    act(number, &**store)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

pub fn of_many_threads_exactly_one_leases_each_batch(world: &World) {
    let store = &*world.store;
    add_keys(store, 30);
    add_records(store, 20);
    open_all(store, 1);
    let nodes: Vec<NodeId> = (0..THREADS).map(|_| register(store)).collect();
    let leases = all_at_once(world, |number, store| {
        let mut leases = Vec::new();
        while let [one] = &mut lease(store, nodes[number], 1)[..] {
            leases.push(copy(one));
        }
        leases
    });
    let leases: Vec<Lease> = leases.into_iter().flatten().collect();
    let distinct = |of: fn(&Lease) -> i64| leases.iter().map(of).collect::<BTreeSet<_>>().len();
    assert_eq!((leases.len(), distinct(|l| l.batch().0), distinct(|l| l.key().0)), (20, 20, 20));
}

pub fn many_that_form_batches_at_once_share_the_records_out(world: &World) {
    let store = &*world.store;
    add_records(store, 200);
    let formed: usize = all_at_once(world, |_, store| {
        (0..10).map(|round| open(store, 3, 5 * (round + 1), true).opened).sum::<usize>()
    })
    .into_iter()
    .sum();
    let batches = store.batches(BatchId(0), usize::MAX).unwrap();
    assert_eq!((batches.len(), store.status().unwrap().open), (formed, 150));
    let in_order: Vec<_> = batches.iter().flat_map(|batch| batch.records.iter()).map(|id| id.0).collect();
    assert_eq!(in_order, (1..=150).collect::<Vec<_>>());
}

pub fn of_many_commits_of_one_batch_exactly_one_is_stored(world: &World) {
    let store = &*world.store;
    add_keys(store, 1);
    add_records(store, 200);
    open_all(store, 10);
    let node = register(store);
    let mut promises = Promises::default();
    for _ in 0..20 {
        let leases = lease(store, node, 1);
        let verdicts = all_at_once(world, |_, store| store.commit(&[sign(copy(&leases[0]))]).unwrap()[0]);
        let stored = verdicts.iter().filter(|verdict| **verdict == CommitVerdict::Committed).count();
        assert_eq!(stored, 1, "{verdicts:?}");
        promises.check(store);
    }
}

pub fn of_many_reclaimers_exactly_one_gets_each_node(world: &World) {
    let store = &*world.store;
    add_keys(store, 12);
    add_records(store, 12);
    open_all(store, 1);
    for _ in 0..4 {
        lease(store, register(store), 3);
    }
    let other = world.other();
    let dead = register(&*other);
    world.let_time_pass(MINUTE * 3);
    world.kill(other, dead);
    let reclaimed = all_at_once(world, |_, store| store.reclaim(None, MINUTE).unwrap());
    let reclaimed: Vec<_> = reclaimed.into_iter().flatten().collect();
    let nodes: BTreeSet<_> = reclaimed.iter().map(|reclaimed| reclaimed.node).collect();
    assert_eq!((nodes.len(), reclaimed.len()), (5, 5));
    assert_eq!(reclaimed.iter().map(|reclaimed| reclaimed.batches).sum::<u64>(), 12);
}

/// Two nodes do whatever comes to mind, and one of them dies now and then.
pub fn all_promises_hold_after_each_of_many_random_steps(world: &World) {
    let store = &*world.store;
    let mut random = u64::from(std::process::id()) << 20;
    println!("seed {random}");
    let mut promises = Promises::default();
    let mut nodes = [register(store), register(store)];
    let mut held: Vec<Lease> = Vec::new();
    let mut keys = 0;
    for _ in 0..250 {
        let mut dice = |sides: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % sides
        };
        match dice(12) {
            0 | 1 => drop(add_records(store, dice(20))),
            2 => {
                let name = dice(5).to_string();
                let payload = [dice(2) as u8];
                store.insert_records(&[NewRecord { external_id: Some(&name), payload: &payload }]).unwrap();
            }
            3 | 4 => drop(open(store, 1 + dice(9), dice(6), dice(2) == 0)),
            5 if keys < 5 => {
                keys += 1;
                store.add_key(&crate::support::new_key(keys)).unwrap();
            }
            6 => {
                let state = [KeyState::Active, KeyState::Disabled, KeyState::Suspended][dice(3)];
                store.set_key_state(KeyId(1 + dice(5) as i64), state, None).unwrap();
            }
            7 | 8 => held.extend(lease(store, nodes[dice(2)], dice(4))),
            9 if !held.is_empty() => {
                let batches: Vec<_> = held.drain(..=dice(held.len())).map(sign).collect();
                store.commit(&batches).unwrap();
            }
            10 if !held.is_empty() => {
                let lease = &held[dice(held.len())];
                store.release(&[(lease.batch(), lease.epoch())]).unwrap();
            }
            11 => {
                let (dies, lives) = if dice(2) == 0 { (0, 1) } else { (1, 0) };
                world.let_time_pass(MINUTE * 3);
                store.reclaim(Some(nodes[lives]), MINUTE / 2).unwrap();
                store.renew_node(nodes[lives], MINUTE).unwrap();
                nodes[dies] = register(store);
            }
            _ => continue,
        }
        promises.check(store);
    }
    // Whatever happened, nothing was lost: all of it can still be signed.
    store.set_key_state(KeyId(1), KeyState::Active, None).unwrap();
    store.add_key(&crate::support::new_key(9)).unwrap();
    store.remove_node(nodes[0]).unwrap();
    store.remove_node(nodes[1]).unwrap();
    let node = register(store);
    open_all(store, 7);
    loop {
        let batches: Vec<_> = lease(store, node, 9).into_iter().map(sign).collect();
        if store.commit(&batches).unwrap().is_empty() {
            break;
        }
        promises.check(store);
    }
    assert_eq!(store.status().unwrap().waiting(), 0);
}
