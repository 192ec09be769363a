//! Keys that fail, in every way there is.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use signwave::{
    actors::{
        Ending, RunError,
        messages::FailureReason,
        signing_pool::{Job, SigningPool},
    },
    domain::{AuditId, KeyState, LimitChange, Who},
    store::{Access, BarredKeys, KeyLimitsVerdict, KeyPool, Reading},
};
use support::store::by;

use crate::{
    rig::{Rig, SERVE, fingerprint},
    signers::Act,
};

/// Drains all records where key 1 does `act` the first `times` times.
async fn with_key_1_doing(act: impl Fn() -> Act, times: usize, reason: FailureReason) -> Rig {
    let mut rig = Rig::new(400, 4, 5);
    // A panic takes its time to be printed: with a second thread the other keys would sign everything meanwhile.
    rig.settings.signers = 1;
    (0..times).for_each(|_| rig.signers.next(fingerprint(1), act()));
    assert_eq!(rig.drain().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    rig.check_all_signed();
    let failed = [rig.progress.failed(), rig.progress.failed_for(reason)];
    assert_eq!(failed, [times as u64; 2]);
    rig
}

fn states(rig: &Rig) -> Vec<KeyState> {
    rig.memory.keys().unwrap().iter().map(|key| key.state).collect()
}

#[actix_rt::test]
async fn a_panicking_signer_loses_no_batch_and_hurts_no_other_key() {
    let rig = with_key_1_doing(|| Act::Panic, 2, FailureReason::Panic).await;
    assert_eq!(states(&rig), [KeyState::Active; 4]);
    let opened = rig.signers.opened.lock().unwrap();
    let opens = |key| opened.iter().filter(|opened| **opened == fingerprint(key)).count();
    assert_eq!((opens(1), opens(2)), (3, 1), "a signer that panicked is opened afresh");
}

#[actix_rt::test]
async fn after_three_failures_in_a_row_a_key_is_suspended_with_its_reason() {
    let acts: [(fn() -> Act, FailureReason); 3] = [
        (|| Act::Panic, FailureReason::Panic),
        (|| Act::Fail, FailureReason::Key),
        (|| Act::Forget, FailureReason::Check),
    ];
    for (act, reason) in acts {
        let rig = with_key_1_doing(act, 3, reason).await;
        let (suspended, rest) = (KeyState::Suspended, [KeyState::Active; 3]);
        assert_eq!((states(&rig)[0], &states(&rig)[1..]), (suspended, &rest[..]));
        let reason = rig.memory.keys().unwrap()[0].state_reason.clone().unwrap();
        assert!(reason.starts_with("3 failures in a row, the last: "), "{reason}");
        let change = rig.memory.audit_log(AuditId(0), 99).unwrap().pop().unwrap();
        assert_eq!(change.who, Who::Node(rig.settings.node_name.clone()));
        let change = [change.action, change.object, change.before.unwrap(), change.after.unwrap()];
        assert_eq!(
            change,
            ["key.state", &*fingerprint(1).to_string(), "active", &*format!("suspended: {reason}")]
        );
    }
}

#[actix_rt::test]
async fn a_success_in_between_starts_the_count_again() {
    let rig = Rig::new(400, 1, 5);
    for failures in [2, 2] {
        (0..failures).for_each(|_| rig.signers.next(fingerprint(1), Act::Fail));
        rig.insert(5);
        rig.drain().await.unwrap();
    }
    assert_eq!(states(&rig), [KeyState::Active]);
    rig.check_all_signed();
}

#[actix_rt::test]
async fn without_an_active_key_a_command_says_so_and_loses_nothing() {
    let rig = Rig::new(50, 1, 5);
    (0..3).for_each(|_| rig.signers.next(fingerprint(1), Act::Fail));
    assert_eq!(rig.drain().await, Err(RunError::NoActiveKey { waiting: 50 }));
    rig.check();
    rig.memory.set_key_state(rig.memory.keys().unwrap()[0].id, KeyState::Active, None, &by()).unwrap();
    rig.drain().await.unwrap();
    rig.check_all_signed();
}

#[actix_rt::test]
async fn without_an_active_key_a_service_waits_for_one() {
    let rig = Rig::new(50, 1, 5);
    let key = rig.memory.keys().unwrap()[0].id;
    rig.memory.set_key_state(key, KeyState::Disabled, None, &by()).unwrap();
    let running = rig.start(SERVE);
    rig.until(|rig| rig.store.count(support::faulty::Method::Status) > 0).await;
    rig.memory.set_key_state(key, KeyState::Active, None, &by()).unwrap();
    rig.until(|rig| rig.progress.signed() == 50).await;
    running.stopped().await.unwrap();
    rig.check_all_signed();
}

fn limit(rig: &Rig, most: i64) {
    let key = rig.memory.keys().unwrap()[0].id;
    let limit = Some(most.try_into().unwrap());
    let change = LimitChange { max_signatures: Some(limit), ..LimitChange::default() };
    assert!(matches!(rig.memory.set_key_limits(key, &change, &by()).unwrap(), KeyLimitsVerdict::Set(_)));
}

#[actix_rt::test]
async fn when_the_limits_of_all_keys_are_reached_a_command_says_so_and_exceeds_none() {
    let rig = Rig::new(50, 1, 5);
    limit(&rig, 23);
    let barred = BarredKeys { exhausted: 1, ..BarredKeys::default() };
    let ended = rig.drain().await.unwrap_err();
    assert_eq!(ended, RunError::BarredKeys { waiting: 30, barred });
    assert!(
        ended.to_string().starts_with("none of the active keys may sign now (1 exhausted), and 30 records")
    );
    rig.check();
    limit(&rig, 50);
    rig.drain().await.unwrap();
    rig.check_all_signed();
}

#[actix_rt::test]
async fn when_the_limits_of_all_keys_are_reached_a_service_waits_for_others() {
    let rig = Rig::new(50, 1, 5);
    limit(&rig, 20);
    let running = rig.start(SERVE);
    rig.until(|rig| rig.progress.signed() == 20 && rig.store.count(support::faulty::Method::Status) > 0)
        .await;
    limit(&rig, 60);
    rig.until(|rig| rig.progress.signed() == 50).await;
    running.stopped().await.unwrap();
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_key_that_failed_still_does_one_job_at_a_time() {
    let rig = Rig::new(3, 1, 1);
    let jobs = Arc::<Mutex<VecDeque<Job>>>::default();
    let supervisor = rig.supervisor(SigningPool::of({
        let jobs = Arc::clone(&jobs);
        move |job| jobs.lock().unwrap().push_back(job)
    }));
    let waiting = || jobs.lock().unwrap().len();
    let finish_next = || jobs.lock().unwrap().pop_front().unwrap().finish();
    // Two batches for one key: the lease of the first was lost, and the key leased anew.
    rig.signers.next(fingerprint(1), Act::Fail);
    let [first, second] = [1, 2].map(|batch| supervisor.send(rig.sign_by_hand(batch)));
    rig.until(|_| waiting() == 1).await;
    finish_next();
    assert!(first.await.unwrap().is_err());
    rig.until(|_| waiting() == 1).await;
    // And lost and leased once more, while the second is being signed.
    let third = supervisor.send(rig.sign_by_hand(3));
    for _ in 0..100 {
        actix_rt::task::yield_now().await;
        assert_eq!(waiting(), 1, "the key is used twice at once");
    }
    finish_next();
    rig.until(|_| waiting() == 1).await;
    finish_next();
    assert!(second.await.unwrap().is_ok() && third.await.unwrap().is_ok());
}
