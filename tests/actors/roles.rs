//! Nodes that only form batches, and nodes that only sign them.

use std::time::Duration;

use signwave::{
    actors::{Ending, Mode},
    config::Roles,
    domain::BatchState,
    store::{Audit, Batching, Method, OpenBatches},
};

use crate::rig::Rig;

fn rig(roles: Roles, records: usize, batch_size: usize) -> Rig {
    let mut rig = Rig::new(records, 3, batch_size);
    rig.settings.roles = roles;
    rig
}

/// Records in the batches that are open.
fn open(rig: &Rig) -> Vec<u64> {
    let batches = rig.batches();
    batches.iter().filter(|b| b.state == BatchState::Open).map(|b| b.records.len()).collect()
}

#[actix_rt::test]
async fn a_node_that_only_emits_forms_batches_and_leases_none() {
    let rig = rig(Roles::Emit, 25, 10);
    let running = rig.start(Mode::Serve);
    rig.until(|rig| open(rig) == [10, 10, 5]).await;
    // It goes on looking, and waits for more records now that something is open.
    rig.insert(4);
    let looks = rig.store.count(Method::OpenBatches);
    rig.until(|rig| rig.store.count(Method::OpenBatches) == looks + 3).await;
    assert_eq!(open(&rig), [10, 10, 5]);
    rig.advance(Duration::from_secs(1)); // longer than the linger
    rig.until(|rig| open(rig) == [10, 10, 5, 4]).await;
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    assert_eq!((rig.store.count(Method::Lease), rig.signers.operations()), (0, 0));
    rig.check();
    rig.drain().await.unwrap();
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_node_that_only_emits_keeps_a_bounded_number_of_batches_open() {
    let rig = rig(Roles::Emit, 34_500, 1000);
    let running = rig.start(Mode::Serve);
    rig.until(|rig| open(rig).len() == 32).await;
    rig.advance(Duration::from_secs(1));
    let looks = rig.store.count(Method::OpenBatches);
    rig.until(|rig| rig.store.count(Method::OpenBatches) == looks + 2).await;
    assert_eq!(open(&rig), [1000; 32], "no more than signers elsewhere take until it looks again");
    running.stopped().await.unwrap();
}

#[actix_rt::test]
async fn a_node_that_only_signs_forms_no_batch_and_finds_those_of_others() {
    let rig = rig(Roles::Sign, 30, 10);
    let running = rig.start(Mode::Serve);
    rig.until(|rig| rig.store.count(Method::OpenBatches) > 1).await;
    assert_eq!(rig.batches(), [], "it has looked");
    let two = OpenBatches { batch_size: 10, keep_open: 2, partial: true };
    for round in 1..=2 {
        rig.memory.open_batches(two).unwrap();
        rig.until(|rig| rig.progress.signed() == [20, 30][round - 1]).await;
        rig.check();
    }
    running.stopped().await.unwrap();
    assert_eq!(rig.batches().len(), 3);
    rig.check_all_signed();
}

#[actix_rt::test]
async fn an_emitter_and_a_signer_do_the_work_of_one_node() {
    let emitter = rig(Roles::Emit, 205, 10);
    let mut signer = emitter.twin();
    signer.settings.roles = Roles::Sign;
    let (emitting, signing) = (emitter.start(Mode::Serve), signer.start(Mode::Serve));
    emitter.until(|rig| rig.memory.counts().unwrap().signatures == 205).await;
    emitting.stopped().await.unwrap();
    signing.stopped().await.unwrap();
    assert_eq!((emitter.progress.signed(), signer.progress.signed()), (0, 205));
    emitter.check_all_signed();
}

#[actix_rt::test]
async fn a_run_to_the_end_has_both_roles() {
    for roles in [Roles::Emit, Roles::Sign] {
        let rig = rig(roles, 25, 10);
        assert_eq!(rig.drain().await, Ok(Ending::Drained { held_elsewhere: 0 }));
        rig.check_all_signed();
    }
}
