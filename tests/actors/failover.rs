//! The database goes back in time, as after a failover to a standby that lagged: what a node knows is not what
//! the database says. Here P1 and P2 hold for each of the two histories, and not across them.

use std::{sync::Arc, time::Duration};

use signwave::{
    actors::{Ending, Mode, signing_pool::Job},
    domain::{BatchState, Epoch, NodeId},
    store::{Method, Store},
};

use crate::world::{SERVE, World, fingerprint};

/// Whether everything is signed, and nobody holds anything.
fn is_done(world: &World) -> bool {
    let counts = world.memory.counts().unwrap();
    counts.signatures == counts.records && world.leased() == 0
}

#[actix_rt::test]
async fn batches_that_the_database_says_are_ours_and_nobody_knows_are_signed() {
    let mut world = World::new(40, 4, 10);
    world.settings.lease_ttl = Duration::from_secs(1); // it compares three times a second of real time
    let mut commit = world.script.hold(Method::Commit, 1);
    let running = world.start(SERVE);
    commit.arrived().await;
    world.until(|world| world.leased() == 4).await;
    // All keys are in use, as the standby knows it.
    let standby = world.memory.standby();
    commit.go_on();
    world.until(is_done).await;
    world.memory.fail_over_to(&standby);
    assert_eq!(world.leased(), 4);
    world.until(is_done).await;
    assert!(world.batches().iter().all(|batch| batch.epoch == Epoch(3)), "lease, gone, lease");
    assert_eq!(world.store.count(Method::RegisterNode), 2);
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
}

#[actix_rt::test]
async fn a_command_does_not_take_its_own_forgotten_batches_for_those_of_others() {
    let world = World::new(20, 2, 10);
    let mut commit = world.script.hold(Method::Commit, 1);
    let running = world.start(Mode::Drain);
    commit.arrived().await;
    world.until(|world| world.leased() == 2).await;
    let standby = world.memory.standby();
    commit.go_on();
    let mut last_count = world.script.hold(Method::OpenBatches, 1);
    last_count.arrived().await;
    world.until(is_done).await;
    world.memory.fail_over_to(&standby);
    last_count.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    assert!(is_done(&world));
    assert_eq!(world.memory.status().unwrap().nodes, []);
}

#[actix_rt::test]
async fn what_the_database_does_not_say_is_ours_is_not_signed_to_its_end() {
    let mut world = World::new(20, 1, 20);
    world.settings.lease_ttl = Duration::from_secs(1);
    world.settings.poll_interval = Duration::from_secs(60); // nor is it leased once more before that
    let running = {
        // The standby has heard of the node, and of no lease.
        let mut lease = world.script.hold(Method::Lease, 1);
        let (begun, go_on) = world.signers.hold(fingerprint(1));
        let running = world.start(SERVE);
        lease.arrived().await;
        let standby = world.memory.standby();
        lease.go_on();
        actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
        world.memory.fail_over_to(&standby);
        // It notices while it signs.
        world.until(|world| world.store.count(Method::RegisterNode) == 2).await;
        go_on.send(()).unwrap();
        running
    };
    world.until(is_done).await;
    let batch = &world.batches()[0];
    assert_eq!(
        (batch.state, batch.epoch),
        (BatchState::Signed, Epoch(1)),
        "its first lease, for the database"
    );
    assert_eq!(world.progress.fenced(), 0, "nothing was signed in vain");
    assert_eq!(world.signers.operations(), 8 + 20, "a group, and then all of it");
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
}

#[actix_rt::test]
async fn a_commit_of_a_batch_that_the_database_never_heard_of_does_not_end_the_service() {
    let world = World::new(40, 4, 10);
    let standby = world.memory.standby();
    let mut commit = world.script.hold(Method::Commit, 1);
    let running = world.start(SERVE);
    commit.arrived().await;
    world.memory.fail_over_to(&standby);
    commit.go_on();
    world.until(is_done).await;
    assert!(world.progress.fenced() > 0);
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
}

#[actix_rt::test]
async fn what_is_refused_or_under_way_is_not_taken_for_forgotten() {
    let mut world = World::new(60, 6, 10);
    world.settings.lease_ttl = Duration::from_secs(1);
    world.by_hand = Some(Arc::default());
    let jobs = world.by_hand.clone().unwrap();
    world.script.refuse(signwave::domain::BatchId(1));
    let running = world.start(SERVE);
    // Batches that are being signed, one that the schema refused, and commits that take their time.
    for stored in 1..=5 {
        let mut commit = world.script.hold(Method::Commit, 1);
        world.until(|_| !jobs.lock().unwrap().is_empty()).await;
        let job = jobs.lock().unwrap().pop_front().unwrap();
        Job::finish(job);
        commit.arrived().await;
        let before = world.store.count(Method::Inventory);
        world.until(|world| world.store.count(Method::Inventory) > before + 1).await;
        commit.go_on();
        world.until(|world| world.progress.signed() == 10 * (stored - 1)).await;
    }
    assert_eq!(world.store.count(Method::RegisterNode), 1, "there was no reason to doubt");
    assert!(world.memory.status().unwrap().nodes.iter().all(|node| node.id == NodeId(1)));
    world.check();
    running.stopped().await.unwrap();
}
