//! Which key signs which batch, and how many at a time.

use std::collections::{HashMap, HashSet};

use signwave::{
    actors::{Ending, Mode, messages::Commit},
    domain::KeyId,
    signer::LANES,
    store::{KeyRow, Reading},
};

use crate::rig::Rig;

#[actix_rt::test]
async fn every_record_is_signed_once() {
    let rig = Rig::new(1003, 7, 10);
    assert_eq!(rig.drain().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    rig.check_all_signed();
    rig.check_no_work_done_twice();
    assert_eq!((rig.progress.signed(), rig.progress.batches()), (1003, 101));
    assert_eq!((rig.progress.failed(), rig.progress.fenced()), (0, 0));
}

#[actix_rt::test]
async fn a_signer_gets_whole_groups_of_eight_and_then_what_is_left_of_the_batch() {
    // The engine `lanes` signs a group of eight at once, so that no group may be cut.
    assert_eq!(LANES, 8);
    let mut rig = Rig::new(42, 1, 21);
    rig.settings.signers = 1;
    rig.drain().await.unwrap();
    assert_eq!(*rig.signers.groups.lock().unwrap(), [8, 8, 5, 8, 8, 5]);
}

#[actix_rt::test]
async fn keys_are_used_in_turn_least_recently_used_first() {
    let mut rig = Rig::new(40, 4, 1);
    // One batch at a time: each is stored, and its key idle again, before the next is leased.
    rig.settings.signers = 1;
    rig.settings.prefetch = Some(1);
    rig.drain().await.unwrap();
    let by_batch: Vec<KeyId> = rig.batches().iter().filter_map(|batch| batch.key).collect();
    for turn in by_batch.chunks(4) {
        assert_eq!(
            turn.iter().collect::<HashSet<_>>().len(),
            4,
            "a key came again before its turn: {by_batch:?}"
        );
    }
    rig.check_all_signed();
}

#[actix_rt::test]
async fn more_threads_than_keys_never_use_a_key_twice_at_once() {
    let mut rig = Rig::new(600, 2, 3);
    rig.settings.signers = 8;
    rig.drain().await.unwrap();
    // The signers themselves would have panicked, and failed their batch.
    assert_eq!(rig.progress.failed(), 0);
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_node_never_holds_more_leases_than_it_may() {
    let mut rig = Rig::new(100, 50, 1);
    rig.settings.prefetch = Some(3);
    let keys: Vec<KeyRow> = rig.memory.keys().unwrap();
    let holds: Vec<_> = keys.iter().map(|key| rig.signers.hold(key.fingerprint)).collect();
    let running = rig.start(Mode::Drain);
    rig.until(|rig| rig.leased() == 5).await;
    for _ in 0..1000 {
        actix_rt::task::yield_now().await;
        assert_eq!(rig.leased(), 5, "2 signing threads and 3 ahead of them");
    }
    drop(holds);
    running.ended().await.unwrap();
    rig.check_all_signed();
}

#[actix_rt::test]
async fn no_message_is_lost_with_many_small_batches() {
    let rig = Rig::new(2000, 60, 1);
    rig.drain().await.unwrap();
    rig.check_all_signed();
    rig.check_no_work_done_twice();
    let mut by_key: HashMap<_, usize> = HashMap::new();
    rig.batches().iter().for_each(|batch| *by_key.entry(batch.key).or_default() += 1);
    assert_eq!(by_key.len(), 60, "every key had its share");
}

#[actix_rt::test]
async fn batches_that_finish_during_a_commit_are_stored_together_in_the_next() {
    let mut rig = Rig::new(9, 9, 1);
    rig.settings.prefetch = Some(7);
    let mut first = rig.script.hold::<Commit>(1);
    let running = rig.start(Mode::Drain);
    first.arrived().await;
    rig.until(|rig| rig.signers.operations() == 9).await;
    first.go_on();
    running.ended().await.unwrap();
    rig.check_all_signed();
    assert!(rig.progress.commits() <= 3, "{} commits for 9 batches", rig.progress.commits());
}

#[actix_rt::test]
async fn a_large_group_is_stored_in_several_transactions_so_that_leases_are_renewed_between() {
    let rig = Rig::new(30_000, 3, 10_000);
    let mut first = rig.script.hold::<Commit>(1);
    let running = rig.start(Mode::Drain);
    first.arrived().await;
    rig.until(|rig| rig.signers.operations() == 30_000).await;
    first.go_on();
    running.ended().await.unwrap();
    rig.check_all_signed();
    assert_eq!(rig.store.count(support::faulty::Method::Commit), 3, "10,000 records at a time");
}
