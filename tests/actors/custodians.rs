//! Custodians that sign outside the process: their threads, their room, and what happens while one of them hangs.

use std::{sync::mpsc, time::Duration};

use signwave::{
    actors::{Ending, Mode, RunError, messages::LeaseBatches},
    domain::{KeyMaterial, KeyState},
    store::{KeyPool, NewKey, Reading},
};
use support::{faulty::Method, store::by};

use crate::rig::{Rig, Running, SERVE, fingerprint, scripted_key};

/// Keys 1 to `sealed` are in the database, and the next `on_card` have a card with so many sessions.
fn rig(records: usize, sealed: usize, on_card: usize, sessions: usize) -> Rig {
    let rig = Rig::new(records, sealed, 10);
    rig.signers.sessions.lock().unwrap().insert("card".to_owned(), sessions);
    for key in sealed + 1..=sealed + on_card {
        let material = KeyMaterial::Elsewhere { custody: "card".to_owned(), location: format!("slot {key}") };
        rig.memory.add_key(&NewKey { material, ..scripted_key(key) }, &by()).unwrap();
    }
    rig
}

fn set_state(rig: &Rig, key: usize, state: KeyState) {
    let id = rig.memory.keys().unwrap()[key - 1].id;
    rig.memory.set_key_state(id, state, None, &by()).unwrap();
}

/// Starts a service whose card takes a batch, because no other key may sign, and hangs. Then key 1 may sign, and
/// signs everything else.
async fn start_and_hang(rig: &Rig) -> (Running, mpsc::Sender<()>) {
    set_state(rig, 1, KeyState::Disabled);
    let (begun, go_on) = rig.signers.hold(fingerprint(2));
    let running = rig.start(SERVE);
    actix_rt::task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
    set_state(rig, 1, KeyState::Active);
    rig.until(|rig| rig.progress.signed() == 90).await;
    (running, go_on)
}

#[actix_rt::test]
async fn keys_of_a_custodian_that_signs_elsewhere_are_used_on_its_threads_and_others_on_the_signing_threads()
{
    let rig = rig(300, 1, 2, 2);
    set_state(&rig, 1, KeyState::Disabled);
    rig.drain().await.unwrap();
    rig.insert(300);
    [2, 3].iter().for_each(|key| set_state(&rig, *key, KeyState::Disabled));
    set_state(&rig, 1, KeyState::Active);
    rig.drain().await.unwrap();
    rig.check_all_signed();
    let threads = rig.signers.threads.lock().unwrap().clone();
    let all_on = |key, name: &str| threads[&fingerprint(key)].iter().all(|thread| thread.starts_with(name));
    assert!(all_on(1, "sign-") && all_on(2, "card-") && all_on(3, "card-"), "{threads:?}");
}

#[actix_rt::test]
async fn a_custodian_that_hangs_keeps_its_batch_and_nothing_else() {
    let rig = rig(100, 1, 1, 1);
    let (running, go_on) = start_and_hang(&rig).await;
    rig.insert(60);
    rig.until(|rig| rig.progress.signed() == 150).await;
    assert_eq!(rig.leased(), 1);
    go_on.send(()).unwrap();
    rig.until(|rig| rig.progress.signed() == 160).await;
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    rig.check_all_signed();
    assert_eq!((rig.progress.failed(), rig.progress.fenced()), (0, 0));
}

#[actix_rt::test]
async fn a_lost_reply_to_a_lease_does_not_make_the_signing_threads_wait_for_a_custodian_that_hangs() {
    let rig = rig(100, 1, 1, 1);
    let (running, go_on) = start_and_hang(&rig).await;
    rig.store.fail(Method::Lease, 1, support::faulty::Fault::Persisted);
    rig.insert(60);
    // The batch that hangs was given up with the node's identity, and the signing threads have signed it.
    rig.until(|rig| rig.progress.signed() == 160).await;
    assert_eq!(rig.store.count(Method::RegisterNode), 2);
    go_on.send(()).unwrap();
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_stop_does_not_wait_longer_for_a_custodian_that_hangs_than_its_grace() {
    let mut rig = rig(100, 1, 1, 1);
    rig.settings.stop_grace = Duration::from_millis(100);
    let (running, go_on) = start_and_hang(&rig).await;
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    assert_eq!(rig.memory.status().unwrap().nodes, []);
    drop(go_on);
    rig.drain().await.unwrap();
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_command_whose_last_keys_are_those_of_a_custodian_ends_when_they_may_not_sign_either() {
    let rig = rig(50, 1, 1, 1);
    [1, 2].iter().for_each(|key| set_state(&rig, *key, KeyState::Disabled));
    assert_eq!(rig.drain().await, Err(RunError::NoActiveKey { waiting: 50 }));
    set_state(&rig, 2, KeyState::Active);
    assert_eq!(rig.drain().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    rig.check_all_signed();
}

#[actix_rt::test]
async fn the_signing_threads_alone_ask_for_leases_once_per_attempt() {
    let rig = Rig::new(10, 1, 10);
    let mut lease = rig.script.hold_reply::<LeaseBatches>(1);
    let running = rig.start(Mode::Drain);
    lease.arrived().await;
    assert_eq!(rig.store.count(Method::Lease), 1);
    lease.go_on();
    running.ended().await.unwrap();
    assert_eq!((rig.store.count(Method::Lease), rig.store.count(Method::Status)), (1, 0));
}
