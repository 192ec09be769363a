//! Starts in the moment in which the database fails.

use std::{sync::mpsc::channel, time::Duration};

use signwave::{
    actors::{Ending, Mode, RunError},
    store::{Reading, StoreError},
};
use support::faulty::{Fault, Method};

use crate::rig::{Rig, SERVE};

fn away() -> StoreError {
    StoreError::Unavailable("no connection to the server".to_owned())
}

#[actix_rt::test]
async fn a_service_waits_for_a_database_that_fails_at_its_start() {
    let rig = Rig::new(20, 2, 5);
    rig.store.fail(Method::Reclaim, 1, Fault::NotPersisted(away()));
    rig.store.fail(Method::RegisterNode, 1, Fault::NotPersisted(StoreError::Busy));
    rig.store.fail(Method::RegisterNode, 2, Fault::Persisted);
    let running = rig.run(SERVE);
    rig.until(|rig| rig.progress.signed() == 20).await;
    assert_eq!(rig.store.count(Method::RegisterNode), 3);
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    rig.check();
    // Of the registration whose reply was lost a name is left, which holds nothing, until its lease is over.
    let left: Vec<_> = rig.memory.status().unwrap().nodes.into_iter().map(|node| node.batches).collect();
    assert_eq!(left, [0]);
    rig.advance(rig.settings.lease_ttl + rig.settings.lease_grace + Duration::from_secs(1));
    rig.drain().await.unwrap();
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_service_that_waits_for_a_database_can_be_stopped() {
    let rig = Rig::new(20, 2, 5);
    (1..=1000).for_each(|nth| rig.store.fail(Method::RegisterNode, nth, Fault::NotPersisted(away())));
    let running = rig.run(SERVE);
    rig.until(|rig| rig.store.count(Method::RegisterNode) > 3).await;
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    assert_eq!(rig.memory.status().unwrap().nodes, []);
}

#[actix_rt::test]
async fn a_start_that_the_database_does_not_answer_can_be_stopped() {
    for requests in [1, 2] {
        let rig = Rig::new(10, 1, 5);
        let (answer, silence) = channel::<()>();
        let wait = move || silence.recv().unwrap_or(());
        rig.store.fail(Method::RegisterNode, 1, Fault::First(Box::new(wait)));
        let running = rig.run(SERVE);
        rig.until(|rig| rig.store.count(Method::RegisterNode) == 1).await;
        (0..requests).for_each(|_| running.stop.request());
        assert_eq!(running.ended().await, Ok(Ending::Stopped));
        drop(answer);
    }
}

#[actix_rt::test]
async fn what_no_waiting_mends_ends_a_start_and_so_does_any_error_of_a_command() {
    let rig = Rig::new(20, 2, 5);
    let refused = StoreError::Refused("a table is missing".to_owned());
    for (mode, error) in [(SERVE, refused), (Mode::Drain, away())] {
        rig.store.fail(Method::RegisterNode, 1, Fault::NotPersisted(error.clone()));
        assert_eq!(rig.run(mode).ended().await, Err(RunError::Store(error)));
    }
}
