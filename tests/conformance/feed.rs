//! The feed: each signed batch once, at a position that never changes.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread::scope,
};

use signwave::{
    domain::{BatchId, BatchState, CommitVerdict, NodeId, Place, Position, SignedBatch},
    store::{FeedBatch, FeedEnd, Store},
};
use support::{
    store::{add_keys, add_records, copy, lease, open_all, register, sign},
    tested_store::TestedStore,
};

use super::commit_one;

/// Open batches of two records, each with a key.
fn setup(tested: &TestedStore, batches: usize) -> NodeId {
    let store = &*tested.store;
    add_keys(store, batches as u8);
    add_records(store, 2 * batches);
    open_all(store, 2);
    register(store)
}

fn signed(store: &dyn Store, node: NodeId, batches: usize) -> Vec<SignedBatch> {
    lease(store, node, batches).into_iter().map(sign).collect()
}

/// The batches behind a position, in the order of the feed.
fn behind(store: &dyn Store, after: i64) -> Vec<(i64, i64)> {
    let rows = store.feed(Place(after), usize::MAX).unwrap();
    rows.iter().map(|FeedBatch { place, batch }| (place.0, batch.id.0)).collect()
}

pub fn batches_are_numbered_in_the_order_in_which_they_were_stored(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 5);
    let mut batches = signed(store, node, 5);
    assert_eq!((store.sequence().unwrap().last, behind(store, 0)), (Place(0), vec![]));

    let third = batches.remove(2);
    assert_eq!(commit_one(store, third), CommitVerdict::Committed);
    assert_eq!(store.sequence().unwrap().last, Place(1));
    assert_eq!(store.commit(&batches[..2]).unwrap(), [CommitVerdict::Committed; 2]);
    assert_eq!(store.sequence().unwrap().last, Place(3));
    assert_eq!(store.commit(&batches[2..]).unwrap(), [CommitVerdict::Committed; 2]);
    let FeedEnd { feed, last } = store.sequence().unwrap();
    assert_eq!(last, Place(5));
    assert_eq!(store.status().unwrap().feed, Some(Position::behind(feed, last)));
    assert_eq!(behind(store, 0), [(1, 3), (2, 1), (3, 2), (4, 4), (5, 5)]);

    let other = tested.other();
    assert_eq!(other.sequence().unwrap(), FeedEnd { feed, last }, "every process sees the same feed");
    assert_eq!(behind(&*other, 3), [(4, 4), (5, 5)]);
    assert_eq!(store.unsequenced().unwrap(), []);
}

pub fn a_batch_of_the_feed_is_the_signed_batch(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 1);
    store.commit(&signed(store, node, 1)).unwrap();
    store.sequence().unwrap();
    let row = store.feed(Place(0), 1).unwrap().remove(0);
    assert_eq!(row.batch, store.batches(BatchId(0), 1).unwrap().remove(0));
    assert_eq!((row.place, row.batch.state), (Place(1), BatchState::Signed));
    assert_eq!(store.feed(Place(1), 9).unwrap(), []);
    assert_eq!(store.feed(Place(i64::MAX), 9).unwrap(), []);
    assert_eq!(store.feed(Place(0), 0).unwrap(), []);
}

pub fn what_is_not_stored_gets_no_position(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 2);
    let mut leases = lease(store, node, 2);
    let (kept, fenced) = (leases.remove(0), leases.remove(0));
    store.release(&[(fenced.batch(), fenced.epoch())]).unwrap();
    let sent = [sign(copy(&fenced)), sign(copy(&kept)), sign(kept), sign(fenced)];
    store.commit(&sent).unwrap();
    assert_eq!(store.sequence().unwrap().last, Place(1));
    assert_eq!(behind(store, 0), [(1, 1)]);
}

pub fn the_feed_is_read_in_pages(tested: &TestedStore) {
    let store = &*tested.store;
    let node = setup(tested, 7);
    for batch in signed(store, node, 7) {
        commit_one(store, batch);
    }
    store.sequence().unwrap();
    let (mut after, mut seen) = (Place(0), Vec::new());
    loop {
        let page = store.feed(after, 3).unwrap();
        let Some(last) = page.last() else { break };
        after = last.place;
        seen.push(page.len());
    }
    assert_eq!((seen, after), (vec![3, 3, 1], Place(7)));
}

/// Committers and readers at once: whatever a reader saw once stays, and behind it nothing is missed.
pub fn readers_beside_committers_miss_nothing_and_see_no_position_change(tested: &TestedStore) {
    const COMMITTERS: usize = 4;
    const ROUNDS: usize = 10;
    let store = &*tested.store;
    add_keys(store, COMMITTERS as u8);
    add_records(store, COMMITTERS * ROUNDS);
    open_all(store, 1);
    let others: Vec<_> = (0..COMMITTERS).map(|_| tested.other()).collect();
    let is_over = AtomicBool::new(false);
    let seen = scope(|scope| {
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(|| follow(store, &is_over))).collect();
        let committers: Vec<_> = others.iter().map(|other| scope.spawn(|| commit_all(&**other))).collect();
        committers.into_iter().for_each(|committer| committer.join().unwrap());
        is_over.store(true, SeqCst);
        readers.into_iter().map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
    });
    let all = behind(store, 0);
    let batches: BTreeSet<_> = all.iter().map(|(_, batch)| *batch).collect();
    assert_eq!(batches, (1..=(COMMITTERS * ROUNDS) as i64).collect());
    assert!(all.iter().map(|(place, _)| *place).eq(1..=all.len() as i64), "{all:?}");
    assert!(seen.iter().all(|seen| *seen == all), "what was read first is what is there in the end");
}

/// Signs until nothing is open, with a key that is free.
fn commit_all(store: &dyn Store) {
    let node = register(store);
    while store.status().unwrap().batches.open > 0 {
        for batch in signed(store, node, 1) {
            assert_eq!(commit_one(store, batch), CommitVerdict::Committed);
        }
    }
}

/// Reads on behind the last position that it saw, until all is read after the end of the others.
fn follow(store: &dyn Store, is_over: &AtomicBool) -> Vec<(i64, i64)> {
    let mut seen = Vec::new();
    loop {
        let was_over = is_over.load(SeqCst);
        let end = store.sequence().unwrap().last;
        let after = seen.last().map_or(0, |(place, _)| *place);
        let page = behind(store, after);
        assert!(after + page.len() as i64 >= end.0, "the feed ended at {end} before this page was read");
        seen.extend(&page);
        if was_over && page.is_empty() {
            return seen;
        }
    }
}
