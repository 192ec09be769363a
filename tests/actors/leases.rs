//! Leases that end while somebody still works under them.

use std::time::Duration;

use signwave::{
    actors::{Ending, Mode},
    domain::{Epoch, NodeId},
    store::{Method, Store},
};

use crate::world::{SERVE, World, fingerprint};

#[actix_rt::test]
async fn a_node_that_was_declared_dead_stores_nothing_and_works_on_under_a_new_name() {
    let world = World::new(30, 3, 10);
    let mut commit = world.script.hold(Method::Commit, 1);
    let running = world.start(Mode::Drain);
    commit.arrived().await;
    // What it is still signing by then would cost it another identity.
    world.until(|world| world.signers.operations() == 30).await;
    world.take_over_from(NodeId(1));
    commit.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    assert!(world.progress.fenced() >= 1, "the fence did not fire");
    world.check_all_signed();
    assert!(world.batches().iter().all(|batch| batch.epoch >= Epoch(3)), "lease, reclaim, lease");
    assert_eq!(world.store.count(Method::RegisterNode), 2);
}

#[actix_rt::test]
async fn signing_stops_when_the_lease_cannot_be_trusted_and_goes_on_after_its_renewal() {
    let mut world = World::new(10, 1, 10);
    world.settings.lease_ttl = Duration::from_secs(3); // a heartbeat each second of real time
    let (begun, go_on) = world.signers.hold(fingerprint(1));
    let running = world.start(Mode::Drain);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    // Half the time to live passes, unseen by the others, in the middle of the first operations.
    world.advance(Duration::from_secs(2));
    go_on.send(()).unwrap();
    running.ended().await.unwrap();
    world.check_all_signed();
    assert_eq!(world.store.count(Method::Release), 1, "the batch went back");
    assert_eq!(world.batches()[0].epoch, Epoch(3), "lease, release, lease");
    assert_eq!(world.progress.failed(), 0, "nobody is to blame");
}

#[actix_rt::test]
async fn batches_of_a_dead_node_are_signed_by_the_next() {
    let world = World::new(20, 2, 10);
    let dead = world.memory.register_node("dead", Duration::from_secs(30)).unwrap();
    let open = signwave::store::OpenBatches { batch_size: 10, keep_open: 2, partial: true };
    world.memory.open_batches(open).unwrap();
    assert_eq!(world.memory.lease(dead, signwave::domain::Scheme::Ps256, 2).unwrap().len(), 2);
    world.memory.declare_dead(dead);
    assert_eq!(world.drain().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    world.check_all_signed();
}

#[actix_rt::test]
async fn what_a_living_node_holds_is_left_to_it() {
    let world = World::new(20, 2, 10);
    let other = world.memory.register_node("other", Duration::from_secs(30)).unwrap();
    let open = signwave::store::OpenBatches { batch_size: 10, keep_open: 2, partial: true };
    world.memory.open_batches(open).unwrap();
    world.memory.lease(other, signwave::domain::Scheme::Ps256, 1).unwrap();
    assert_eq!(world.drain().await, Ok(Ending::Drained { held_elsewhere: 1 }));
    world.check();
    assert_eq!((world.progress.signed(), world.leased()), (10, 1));
}

#[actix_rt::test]
async fn what_it_still_held_when_batches_were_counted_is_not_said_to_be_held_elsewhere() {
    let mut world = World::new(20, 2, 10);
    world.settings.poll_interval = Duration::from_secs(60);
    let (begun, go_on) = world.signers.hold(fingerprint(2));
    // The first forms the batches; the second counts them while one is still being signed.
    let mut count = world.script.hold_reply(Method::OpenBatches, 2);
    let running = world.start(Mode::Drain);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    count.arrived().await;
    assert_eq!(world.leased(), 1);
    go_on.send(()).unwrap();
    world.until(|world| world.progress.signed() == 20).await;
    count.go_on();
    assert_eq!(running.ended().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    world.check_all_signed();
}

#[actix_rt::test]
async fn a_service_picks_up_records_that_others_insert() {
    let world = World::new(0, 2, 10);
    let running = world.start(SERVE);
    world.until(|world| world.memory.status().unwrap().nodes.len() == 1).await;
    for round in 1..=3 {
        world.insert(7);
        world.until(|world| world.progress.signed() == 7 * round).await;
    }
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    world.check_all_signed();
}

#[actix_rt::test]
async fn the_lease_is_renewed_however_long_it_takes_to_look_for_the_dead() {
    let mut world = World::new(0, 1, 10);
    world.settings.lease_ttl = Duration::from_secs(1); // a heartbeat, and a look, three times a second of real time
    let looks: Vec<_> = (2..=5).map(|nth| world.script.hold(Method::Reclaim, nth)).collect();
    let running = world.start(SERVE);
    for mut look in looks {
        look.arrived().await;
        actix_rt::time::sleep(Duration::from_secs(1)).await;
        look.go_on();
    }
    let renewals = world.store.count(Method::RenewNode);
    assert!(renewals >= 3, "{renewals} renewals beside four looks");
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
}
