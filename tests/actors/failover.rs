//! The database goes back in time, as after a failover to a standby that lagged: what a node knows is not what
//! the database says. Here P1 and P2 hold for each of the two histories, and not across them.

use std::{sync::Arc, time::Duration};

use signwave::{
    actors::{
        Ending, Mode,
        messages::{Commit, LeaseBatches, Open},
        signing_pool::Job,
    },
    domain::{BatchState, Epoch, NodeId},
    store::{Audit, Reading},
};
use support::faulty::Method;

use crate::rig::{Rig, SERVE, fingerprint};

/// Whether everything is signed, and nobody holds anything.
fn is_done(rig: &Rig) -> bool {
    let counts = rig.memory.counts().unwrap();
    counts.signatures == counts.records && rig.leased() == 0
}

#[actix_rt::test]
async fn batches_that_the_database_says_are_ours_and_nobody_knows_are_signed() {
    let mut rig = Rig::new(40, 4, 10);
    rig.settings.lease_ttl = Duration::from_secs(1); // it compares three times a second of real time
    let mut commit = rig.script.hold::<Commit>(1);
    let running = rig.start(SERVE);
    commit.arrived().await;
    rig.until(|rig| rig.leased() == 4).await;
    // All keys are in use, as the standby knows it.
    let standby = rig.memory.standby();
    commit.go_on();
    rig.until(is_done).await;
    rig.memory.fail_over_to(&standby);
    assert_eq!(rig.leased(), 4);
    rig.until(is_done).await;
    assert!(rig.batches().iter().all(|batch| batch.epoch == Epoch(3)), "lease, gone, lease");
    assert_eq!(rig.store.count(Method::RegisterNode), 2);
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
}

#[actix_rt::test]
async fn a_command_does_not_take_its_own_forgotten_batches_for_those_of_others() {
    let rig = Rig::new(20, 2, 10);
    let mut commit = rig.script.hold::<Commit>(1);
    let running = rig.start(Mode::Drain);
    commit.arrived().await;
    rig.until(|rig| rig.leased() == 2).await;
    let standby = rig.memory.standby();
    commit.go_on();
    let mut last_count = rig.script.hold::<Open>(1);
    last_count.arrived().await;
    rig.until(is_done).await;
    rig.memory.fail_over_to(&standby);
    last_count.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    assert!(is_done(&rig));
    assert_eq!(rig.memory.status().unwrap().nodes, []);
}

#[actix_rt::test]
async fn what_the_database_does_not_say_is_ours_is_not_signed_to_its_end() {
    let mut rig = Rig::new(20, 1, 20);
    rig.settings.lease_ttl = Duration::from_secs(1);
    rig.settings.poll_interval = Duration::from_secs(60); // nor is it leased once more before that
    let running = {
        // The standby has heard of the node, and of no lease.
        let mut lease = rig.script.hold::<LeaseBatches>(1);
        let (begun, go_on) = rig.signers.hold(fingerprint(1));
        let running = rig.start(SERVE);
        lease.arrived().await;
        let standby = rig.memory.standby();
        lease.go_on();
        actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
        rig.memory.fail_over_to(&standby);
        // It notices while it signs.
        rig.until(|rig| rig.store.count(Method::RegisterNode) == 2).await;
        go_on.send(()).unwrap();
        running
    };
    rig.until(is_done).await;
    let batch = &rig.batches()[0];
    assert_eq!(
        (batch.state, batch.epoch),
        (BatchState::Signed, Epoch(1)),
        "its first lease, for the database"
    );
    assert_eq!(rig.progress.fenced(), 0, "nothing was signed in vain");
    assert_eq!(rig.signers.operations(), 8 + 20, "a group, and then all of it");
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
}

#[actix_rt::test]
async fn a_commit_of_a_batch_that_the_database_never_heard_of_does_not_end_the_service() {
    let rig = Rig::new(40, 4, 10);
    let standby = rig.memory.standby();
    let mut commit = rig.script.hold::<Commit>(1);
    let running = rig.start(SERVE);
    commit.arrived().await;
    rig.memory.fail_over_to(&standby);
    commit.go_on();
    rig.until(is_done).await;
    assert!(rig.progress.fenced() > 0);
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
}

#[actix_rt::test]
async fn what_is_refused_or_under_way_is_not_taken_for_forgotten() {
    let mut rig = Rig::new(60, 6, 10);
    rig.settings.lease_ttl = Duration::from_secs(1);
    rig.by_hand = Some(Arc::default());
    let jobs = rig.by_hand.clone().unwrap();
    rig.script.refuse(signwave::domain::BatchId(1));
    let running = rig.start(SERVE);
    // Batches that are being signed, one that the schema refused, and commits that take their time.
    for stored in 1..=5 {
        let mut commit = rig.script.hold::<Commit>(1);
        rig.until(|_| !jobs.lock().unwrap().is_empty()).await;
        let job = jobs.lock().unwrap().pop_front().unwrap();
        Job::finish(job);
        commit.arrived().await;
        let before = rig.store.count(Method::Inventory);
        rig.until(|rig| rig.store.count(Method::Inventory) > before + 1).await;
        commit.go_on();
        rig.until(|rig| rig.progress.signed() == 10 * (stored - 1)).await;
    }
    assert_eq!(rig.store.count(Method::RegisterNode), 1, "there was no reason to doubt");
    assert!(rig.memory.status().unwrap().nodes.iter().all(|node| node.id == NodeId(1)));
    rig.check();
    running.stopped().await.unwrap();
}
