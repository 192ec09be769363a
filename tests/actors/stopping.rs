//! Stops, in the middle of everything.

use std::time::Duration;

use signwave::{
    actors::{Ending, RunError},
    domain::Epoch,
    store::{Fault, Method, Store, StoreError},
};

use crate::world::{SERVE, World, fingerprint};

#[actix_rt::test]
async fn a_stop_finishes_what_was_begun_and_gives_the_rest_back() {
    let mut world = World::new(100, 10, 5);
    world.settings.signers = 1;
    world.settings.prefetch = Some(4);
    let (begun, go_on) = world.signers.hold(fingerprint(1));
    let running = world.start(SERVE);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    world.until(|world| world.leased() == 5).await;
    running.stop.request();
    // The stop has arrived when batches that were not begun are on their way back.
    let stop = running.stop.clone();
    stop.requested(1).await;
    actix_rt::task::yield_now().await;
    go_on.send(()).unwrap();
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    world.check();
    assert_eq!(world.progress.signed(), 5, "the batch that was begun");
    assert_eq!(world.leased(), 0, "nothing stays leased");
    assert_eq!(world.memory.status().unwrap().nodes, [], "the node is gone");
    world.drain().await.unwrap();
    world.check_all_signed();
}

#[actix_rt::test]
async fn a_batch_that_outlasts_the_grace_goes_back() {
    let mut world = World::new(20, 1, 20);
    world.settings.stop_grace = Duration::ZERO;
    let (begun, go_on) = world.signers.hold(fingerprint(1));
    let running = world.start(SERVE);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    running.stop.request();
    // Within the first group of operations: the permit is asked before the next. The grace, a timer
    // of the same runtime that is due earlier, is over by then.
    let interrupted = actix_rt::spawn(async move {
        actix_rt::time::sleep(Duration::from_millis(50)).await;
        go_on.send(())
    });
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    interrupted.await.unwrap().unwrap();
    assert_eq!((world.progress.signed(), world.leased()), (0, 0));
    assert_eq!(world.batches()[0].epoch, Epoch(2), "lease, release");
    world.drain().await.unwrap();
    world.check_all_signed();
}

#[actix_rt::test]
async fn a_second_stop_gives_back_what_is_being_signed_and_a_third_waits_for_nothing() {
    for (requests, ending, left) in [(2, Ok(Ending::Stopped), 0), (3, Err(RunError::Aborted), 1)] {
        let mut world = World::new(20, 1, 20);
        world.settings.stop_grace = Duration::from_secs(3600);
        let (begun, _go_on) = world.signers.hold(fingerprint(1));
        let running = world.start(SERVE);
        actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
        (0..requests).for_each(|_| running.stop.request());
        assert_eq!(running.ended().await, ending);
        assert_eq!(world.leased(), left, "after the third it is as after kill -9: others reclaim it");
        world.check();
    }
}

#[actix_rt::test]
async fn what_was_not_begun_goes_back_before_what_is_being_signed_is_done() {
    let mut world = World::new(100, 10, 5);
    world.settings.signers = 1;
    world.settings.prefetch = Some(4);
    let (begun, go_on) = world.signers.hold(fingerprint(1));
    let running = world.start(SERVE);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    world.until(|world| world.leased() == 5).await;
    running.stop.request();
    world.until(|world| world.leased() == 1).await;
    go_on.send(()).unwrap();
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    world.check();
    assert_eq!(world.progress.signed(), 5, "the batch that was begun");
}

#[actix_rt::test]
async fn a_stop_waits_for_a_batch_however_long_it_takes_but_not_for_a_database_that_is_away() {
    let away = || Fault::NotPersisted(StoreError::Unavailable("the server is gone".to_owned()));
    let mut world = World::new(40, 2, 20);
    world.settings.stop_grace = Duration::from_secs(3600);
    let (begun, _go_on) = world.signers.hold(fingerprint(1));
    let running = world.start(SERVE);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    world.store.fail_as_drawn(move |_| Some(away()));
    world.until(|world| world.store.count(Method::Reclaim) > 2).await;
    let ended = actix_rt::time::timeout(Duration::from_secs(10), running.stopped()).await;
    assert_eq!(ended, Ok(Ok(Ending::Stopped)));
}

#[actix_rt::test]
async fn a_stop_during_a_commit_waits_for_it() {
    let world = World::new(20, 2, 20);
    let mut commit = world.script.hold(Method::Commit, 1);
    let running = world.start(SERVE);
    commit.arrived().await;
    running.stop.request();
    actix_rt::task::yield_now().await;
    commit.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    world.check_all_signed();
}

#[actix_rt::test]
async fn a_stop_while_the_database_is_away_ends_all_the_same() {
    let mut world = World::new(20, 2, 20);
    world.settings.stop_grace = Duration::ZERO;
    let mut commit = world.script.hold(Method::Commit, 1);
    let running = world.start(SERVE);
    commit.arrived().await;
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    drop(commit);
    world.check();
    assert_eq!(world.leased(), 0, "removing the node gave everything back");
}

#[actix_rt::test]
async fn a_node_that_has_left_does_not_come_back() {
    let mut world = World::new(10, 1, 5);
    world.settings.lease_ttl = Duration::from_secs(1);
    world.settings.lease_grace = Duration::ZERO;
    let running = world.start(SERVE);
    world.until(|world| world.progress.signed() == 10).await;
    let mut removal = world.script.hold(Method::RemoveNode, 1);
    running.stop.request();
    removal.arrived().await;
    // Its lease is to be renewed while it leaves: it has none any more.
    actix_rt::time::sleep(Duration::from_millis(400)).await;
    removal.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    actix_rt::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.store.count(Method::RegisterNode), 1);
    world.check_all_signed();
}

#[actix_rt::test]
async fn a_stop_during_a_start_ends_with_the_start() {
    let world = World::new(10, 1, 5);
    let mut registration = world.script.hold(Method::RegisterNode, 1);
    let running = world.start(SERVE);
    registration.arrived().await;
    running.stop.request();
    actix_rt::task::yield_now().await;
    registration.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Stopped));
    assert_eq!(world.store.count(Method::RemoveNode), 1);
    assert_eq!(world.store.count(Method::Lease), 0);
    assert_eq!(world.memory.status().unwrap().nodes, [], "the node is gone");
}
