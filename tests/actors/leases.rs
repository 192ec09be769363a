//! Leases that end while somebody still works under them.

use std::time::Duration;

use signwave::{
    actors::{
        Ending, Mode,
        messages::{Commit, Open, Reclaim},
    },
    domain::{Epoch, NodeId, Reach},
    store::{Batching, Leasing, Nodes, Reading},
};
use support::faulty::Method;

use crate::rig::{Rig, SERVE, fingerprint, lasting};

#[actix_rt::test]
async fn a_node_that_was_declared_dead_stores_nothing_and_works_on_under_a_new_name() {
    let rig = Rig::new(30, 3, 10);
    let mut commit = rig.script.hold::<Commit>(1);
    let running = rig.start(Mode::Drain);
    commit.arrived().await;
    // What it is still signing by then would cost it another identity.
    rig.until(|rig| rig.signers.operations() == 30).await;
    rig.take_over_from(NodeId(1));
    commit.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    assert!(rig.progress.fenced() >= 1, "the fence did not fire");
    rig.check_all_signed();
    assert!(rig.batches().iter().all(|batch| batch.epoch >= Epoch(3)), "lease, reclaim, lease");
    // What was still under way when it had its new name may have cost it that name, too.
    assert!(rig.store.count(Method::RegisterNode) >= 2, "it worked on under its old name");
}

#[actix_rt::test]
async fn signing_stops_when_the_lease_cannot_be_trusted_and_goes_on_after_its_renewal() {
    let mut rig = Rig::new(10, 1, 10);
    rig.settings.lease_ttl = Duration::from_secs(3); // a heartbeat each second of real time
    let (begun, go_on) = rig.signers.hold(fingerprint(1));
    let running = rig.start(Mode::Drain);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    // Half the time to live passes, unseen by the others, in the middle of the first operations.
    rig.advance(Duration::from_secs(2));
    go_on.send(()).unwrap();
    running.ended().await.unwrap();
    rig.check_all_signed();
    assert_eq!(rig.store.count(Method::Release), 1, "the batch went back");
    assert_eq!(rig.batches()[0].epoch, Epoch(3), "lease, release, lease");
    assert_eq!(rig.progress.failed(), 0, "nobody is to blame");
}

#[actix_rt::test]
async fn batches_of_a_dead_node_are_signed_by_the_next() {
    let rig = Rig::new(20, 2, 10);
    let dead = rig.memory.register_node("dead", Duration::from_secs(30), &Reach::default()).unwrap();
    let open = signwave::store::OpenBatches { batch_size: 10, keep_open: 2, partial: true };
    rig.memory.open_batches(open).unwrap();
    assert_eq!(
        rig.memory.lease(dead, signwave::domain::Scheme::Ps256, 2, &Reach::default()).unwrap().len(),
        2
    );
    rig.memory.declare_dead(dead);
    assert_eq!(rig.drain().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    rig.check_all_signed();
}

#[actix_rt::test]
async fn what_a_living_node_holds_is_left_to_it() {
    let rig = Rig::new(20, 2, 10);
    let other = rig.memory.register_node("other", Duration::from_secs(30), &Reach::default()).unwrap();
    let open = signwave::store::OpenBatches { batch_size: 10, keep_open: 2, partial: true };
    rig.memory.open_batches(open).unwrap();
    rig.memory.lease(other, signwave::domain::Scheme::Ps256, 1, &Reach::default()).unwrap();
    assert_eq!(rig.drain().await, Ok(Ending::Drained { held_elsewhere: 1 }));
    rig.check();
    assert_eq!((rig.progress.signed(), rig.leased()), (10, 1));
}

#[actix_rt::test]
async fn what_it_still_held_when_batches_were_counted_is_not_said_to_be_held_elsewhere() {
    let mut rig = Rig::new(20, 2, 10);
    rig.settings.poll_interval = Duration::from_secs(60);
    let (begun, go_on) = rig.signers.hold(fingerprint(2));
    // The first forms the batches; the second counts them while one is still being signed.
    let mut count = rig.script.hold_reply::<Open>(2);
    let running = rig.start(Mode::Drain);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    count.arrived().await;
    assert_eq!(rig.leased(), 1);
    go_on.send(()).unwrap();
    rig.until(|rig| rig.progress.signed() == 20).await;
    count.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_service_picks_up_records_that_others_insert() {
    let rig = Rig::new(0, 2, 10);
    let running = rig.start(SERVE);
    rig.until(|rig| rig.memory.status().unwrap().nodes.len() == 1).await;
    for round in 1..=3 {
        rig.insert(7);
        rig.until(|rig| rig.progress.signed() == 7 * round).await;
    }
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    rig.check_all_signed();
}

#[actix_rt::test]
async fn the_lease_is_renewed_however_long_it_takes_to_look_for_the_dead() {
    let mut rig = Rig::new(0, 1, 10);
    rig.settings.lease_ttl = Duration::from_secs(1); // a heartbeat, and a look, three times a second of real time
    let looks: Vec<_> = (2..=7).map(|nth| rig.script.hold::<Reclaim>(nth)).collect();
    let running = rig.start(SERVE);
    for mut look in looks {
        look.arrived().await;
        lasting(Duration::from_secs(1)).await;
        look.go_on();
    }
    let renewals = rig.store.count(Method::RenewNode);
    assert!(renewals >= 3, "{renewals} renewals beside six looks");
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
}
