//! Many at once: of each decision there is one.

use std::{
    collections::BTreeSet,
    sync::{Arc, Barrier},
    thread,
};

use signwave::{
    domain::{BatchId, CommitVerdict, Lease, NodeId},
    store::Store,
};
use support::{
    promises::Promises,
    store::{MINUTE, add_keys, add_records, copy, lease, open, open_all, register, sign},
    tested_store::TestedStore,
};

use crate::limits::{at_most, set};

const THREADS: usize = 8;

/// Each thread is a process of its own, as far as the store can tell; all begin at the same moment.
fn all_at_once<T: Send>(tested: &TestedStore, act: impl Fn(usize, &dyn Store) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(THREADS);
    let stores: Vec<Arc<dyn Store>> = (0..THREADS).map(|_| tested.other()).collect();
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

pub fn of_many_threads_exactly_one_leases_each_batch(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 30);
    add_records(store, 20);
    open_all(store, 1);
    let nodes: Vec<NodeId> = (0..THREADS).map(|_| register(store)).collect();
    let leases = all_at_once(tested, |number, store| {
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

pub fn many_that_form_batches_at_once_share_the_records_out(tested: &TestedStore) {
    let store = &*tested.store;
    add_records(store, 200);
    let formed: usize = all_at_once(tested, |_, store| {
        (0..10).map(|round| open(store, 3, 5 * (round + 1), true).opened).sum::<usize>()
    })
    .into_iter()
    .sum();
    let batches = store.batches(BatchId(0), usize::MAX).unwrap();
    assert_eq!((batches.len(), store.status().unwrap().open), (formed, 150));
    let in_order: Vec<_> = batches.iter().flat_map(|batch| batch.records.iter()).map(|id| id.0).collect();
    assert_eq!(in_order, (1..=150).collect::<Vec<_>>());
}

pub fn of_many_commits_of_one_batch_exactly_one_is_stored(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 1);
    add_records(store, 200);
    open_all(store, 10);
    let node = register(store);
    let mut promises = Promises::default();
    for _ in 0..20 {
        let leases = lease(store, node, 1);
        let verdicts = all_at_once(tested, |_, store| store.commit(&[sign(copy(&leases[0]))]).unwrap()[0]);
        let stored = verdicts.iter().filter(|verdict| **verdict == CommitVerdict::Committed).count();
        assert_eq!(stored, 1, "{verdicts:?}");
        promises.check(store);
    }
}

pub fn of_many_reclaimers_exactly_one_gets_each_node(tested: &TestedStore) {
    let store = &*tested.store;
    add_keys(store, 12);
    add_records(store, 12);
    open_all(store, 1);
    for _ in 0..4 {
        lease(store, register(store), 3);
    }
    let other = tested.other();
    let dead = register(&*other);
    tested.let_time_pass(MINUTE * 3);
    tested.kill(other, dead);
    let reclaimed = all_at_once(tested, |_, store| store.reclaim(None, MINUTE).unwrap());
    let reclaimed: Vec<_> = reclaimed.into_iter().flatten().collect();
    let nodes: BTreeSet<_> = reclaimed.iter().map(|reclaimed| reclaimed.node).collect();
    assert_eq!((nodes.len(), reclaimed.len()), (5, 5));
    assert_eq!(reclaimed.iter().map(|reclaimed| reclaimed.batches).sum::<u64>(), 12);
}

/// Each node leases and stores as fast as it can, with limits that are set at the same time.
pub fn nodes_that_race_for_limited_keys_never_exceed_a_limit(tested: &TestedStore) {
    const LIMITS: [i64; 3] = [7, 20, 31];
    let store = &*tested.store;
    add_keys(store, 3);
    for (key, limit) in (1..).zip(LIMITS) {
        set(store, key, at_most(limit));
    }
    for size in (1..=4).cycle().take(60) {
        add_records(store, size);
        open_all(store, 9);
    }
    let nodes: Vec<NodeId> = (0..THREADS).map(|_| register(store)).collect();
    let signed = all_at_once(tested, |number, store| {
        let mut signed = 0;
        while store.status().unwrap().usable_keys() > 0 {
            for lease in lease(store, nodes[number], 2) {
                // As low as it can be: it is refused, or sets what stands.
                set(store, lease.key().0, at_most(LIMITS[lease.key().0 as usize - 1]));
                signed += lease.records().len() as i64;
                assert_eq!(store.commit(&[sign(lease)]).unwrap(), [CommitVerdict::Committed]);
            }
        }
        signed
    });
    let counts: Vec<_> = store.keys().unwrap().iter().map(|key| key.signature_count).collect();
    println!("{counts:?} of {LIMITS:?}");
    assert_eq!(counts, LIMITS, "there are batches of one record, so nothing is left over");
    assert_eq!(signed.iter().sum::<i64>(), counts.iter().sum::<i64>());
    Promises::default().check(store);
}
