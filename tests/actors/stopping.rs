//! Stops, in the middle of everything.

use std::time::Duration;

use signwave::{
    actors::{
        Ending, RunError,
        messages::{Commit, Register, Remove},
    },
    domain::Epoch,
    store::{Reading, StoreError},
};
use support::faulty::{Fault, Method};

use crate::rig::{Rig, SERVE, fingerprint, lasting};

#[actix_rt::test]
async fn a_stop_finishes_what_was_begun_and_gives_the_rest_back() {
    let mut rig = Rig::new(100, 10, 5);
    rig.settings.signers = 1;
    rig.settings.prefetch = Some(4);
    let (begun, go_on) = rig.signers.hold(fingerprint(1));
    let running = rig.start(SERVE);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    rig.until(|rig| rig.leased() == 5).await;
    running.stop.request();
    // The stop has arrived when batches that were not begun are on their way back.
    let stop = running.stop.clone();
    stop.requested(1).await;
    actix_rt::task::yield_now().await;
    go_on.send(()).unwrap();
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    rig.check();
    assert_eq!(rig.progress.signed(), 5, "the batch that was begun");
    assert_eq!(rig.leased(), 0, "nothing stays leased");
    assert_eq!(rig.memory.status().unwrap().nodes, [], "the node is gone");
    rig.drain().await.unwrap();
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_batch_that_outlasts_the_grace_goes_back() {
    let mut rig = Rig::new(20, 1, 20);
    rig.settings.stop_grace = Duration::ZERO;
    let (begun, go_on) = rig.signers.hold(fingerprint(1));
    let running = rig.start(SERVE);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    running.stop.request();
    // Within the first group of operations: the permit is asked before the next. The grace, a timer
    // of the same runtime that is due earlier, is over by then.
    let interrupted = actix_rt::spawn(async move {
        lasting(Duration::from_millis(50)).await;
        go_on.send(())
    });
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    interrupted.await.unwrap().unwrap();
    assert_eq!((rig.progress.signed(), rig.leased()), (0, 0));
    assert_eq!(rig.batches()[0].epoch, Epoch(2), "lease, release");
    rig.drain().await.unwrap();
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_second_stop_gives_back_what_is_being_signed_and_a_third_waits_for_nothing() {
    for (requests, ending, left) in [(2, Ok(Ending::Stopped), 0), (3, Err(RunError::Aborted), 1)] {
        let mut rig = Rig::new(20, 1, 20);
        rig.settings.stop_grace = Duration::from_secs(3600);
        let (begun, _go_on) = rig.signers.hold(fingerprint(1));
        let running = rig.start(SERVE);
        actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
        (0..requests).for_each(|_| running.stop.request());
        assert_eq!(running.ended().await, ending);
        assert_eq!(rig.leased(), left, "after the third it is as after kill -9: others reclaim it");
        rig.check();
    }
}

#[actix_rt::test]
async fn what_was_not_begun_goes_back_before_what_is_being_signed_is_done() {
    let mut rig = Rig::new(100, 10, 5);
    rig.settings.signers = 1;
    rig.settings.prefetch = Some(4);
    let (begun, go_on) = rig.signers.hold(fingerprint(1));
    let running = rig.start(SERVE);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    rig.until(|rig| rig.leased() == 5).await;
    running.stop.request();
    rig.until(|rig| rig.leased() == 1).await;
    go_on.send(()).unwrap();
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    rig.check();
    assert_eq!(rig.progress.signed(), 5, "the batch that was begun");
}

#[actix_rt::test]
async fn a_stop_waits_for_a_batch_however_long_it_takes_but_not_for_a_database_that_is_away() {
    let away = || Fault::NotPersisted(StoreError::Unavailable("the server is gone".to_owned()));
    let mut rig = Rig::new(40, 2, 20);
    rig.settings.stop_grace = Duration::from_secs(3600);
    let (begun, _go_on) = rig.signers.hold(fingerprint(1));
    let running = rig.start(SERVE);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    rig.store.fail_as_drawn(move |_| Some(away()));
    rig.until(|rig| rig.store.count(Method::Reclaim) > 2).await;
    let ended = actix_rt::time::timeout(Duration::from_secs(50), running.stopped()).await;
    assert_eq!(ended, Ok(Ok(Ending::Stopped)));
}

#[actix_rt::test]
async fn a_stop_during_a_commit_waits_for_it() {
    let rig = Rig::new(20, 2, 20);
    let mut commit = rig.script.hold::<Commit>(1);
    let running = rig.start(SERVE);
    commit.arrived().await;
    running.stop.request();
    actix_rt::task::yield_now().await;
    commit.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_stop_while_the_database_is_away_ends_all_the_same() {
    let mut rig = Rig::new(20, 2, 20);
    rig.settings.stop_grace = Duration::ZERO;
    let mut commit = rig.script.hold::<Commit>(1);
    let running = rig.start(SERVE);
    commit.arrived().await;
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    drop(commit);
    rig.check();
    assert_eq!(rig.leased(), 0, "removing the node gave everything back");
}

#[actix_rt::test]
async fn a_node_that_has_left_does_not_come_back() {
    let mut rig = Rig::new(10, 1, 5);
    rig.settings.lease_ttl = Duration::from_secs(1);
    rig.settings.lease_grace = Duration::ZERO;
    let running = rig.start(SERVE);
    rig.until(|rig| rig.progress.signed() == 10).await;
    let mut removal = rig.script.hold::<Remove>(1);
    running.stop.request();
    removal.arrived().await;
    // Its lease is to be renewed while it leaves: it has none any more.
    lasting(Duration::from_millis(400)).await;
    removal.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    lasting(Duration::from_millis(50)).await;
    assert_eq!(rig.store.count(Method::RegisterNode), 1);
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_stop_during_a_start_ends_with_the_start() {
    let rig = Rig::new(10, 1, 5);
    let mut registration = rig.script.hold::<Register>(1);
    let running = rig.start(SERVE);
    registration.arrived().await;
    running.stop.request();
    actix_rt::task::yield_now().await;
    registration.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    assert_eq!(rig.store.count(Method::RemoveNode), 1);
    assert_eq!(rig.store.count(Method::Lease), 0);
    assert_eq!(rig.memory.status().unwrap().nodes, [], "the node is gone");
}
