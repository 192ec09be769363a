//! Each fault of the plan: a call that fails, before or after it took effect.

use std::{sync::Arc, time::Duration};

use signwave::{
    actors::{Ending, Mode, RunError, Stop, db::Db, db_executor::DbExecutor, signing_pool::Job},
    domain::BatchId,
    store::{Store, StoreError},
};
use support::faulty::{Fault, Method};

use crate::{
    rig::{Rig, SERVE},
    stand_in::refusal,
};

/// What a run calls before it can do without it; these fail it, the others do not.
const AT_START: [Method; 2] = [Method::Reclaim, Method::RegisterNode];
const ON_THE_WAY: [Method; 4] = [Method::OpenBatches, Method::Lease, Method::StoredKey, Method::Commit];

fn rig() -> Rig {
    Rig::new(200, 5, 10)
}

#[actix_rt::test]
async fn a_call_that_fails_in_passing_is_made_again() {
    for method in ON_THE_WAY {
        for error in [StoreError::Busy, StoreError::Unavailable("gone".into())] {
            for nth in [1, 2] {
                let rig = rig();
                rig.store.fail(method, nth, Fault::NotPersisted(error.clone()));
                assert_eq!(rig.drain().await, Ok(Ending::Drained { held_elsewhere: 0 }), "{method:?} {nth}");
                rig.check_all_signed();
            }
        }
    }
}

#[actix_rt::test]
async fn an_unknown_outcome_never_signs_twice_whether_it_was_persisted_or_not() {
    for method in ON_THE_WAY {
        for persisted in [true, false] {
            let rig = rig();
            let lost = || StoreError::UnknownOutcome("as planned".into());
            let fault = if persisted { Fault::Persisted } else { Fault::NotPersisted(lost()) };
            rig.store.fail(method, 1, fault);
            let ending = rig.drain().await;
            assert_eq!(ending, Ok(Ending::Drained { held_elsewhere: 0 }), "{method:?} {persisted}");
            rig.check_all_signed();
            if method == Method::Commit {
                rig.check_no_work_done_twice();
                assert!(rig.store.count(Method::Outcomes) >= 1, "the outcome was read back");
            }
        }
    }
}

#[actix_rt::test]
async fn reading_back_may_fail_too() {
    let rig = rig();
    rig.store.fail(Method::Commit, 1, Fault::Persisted);
    rig.store.fail(Method::Outcomes, 1, Fault::NotPersisted(StoreError::Busy));
    rig.drain().await.unwrap();
    rig.check_all_signed();
    rig.check_no_work_done_twice();
}

#[actix_rt::test]
async fn a_first_commit_that_ends_after_it_was_read_back_counts_as_ours() {
    let rig = rig();
    // The connection breaks; the batch is read back as not stored, and sent again; and just then the
    // first transaction ends.
    let lost = StoreError::UnknownOutcome("as planned".into());
    rig.store.fail(Method::Commit, 1, Fault::NotPersisted(lost));
    let (script, memory) = (rig.script.clone(), rig.memory.clone());
    let late = move || script.store_what_was_sent(memory.as_ref());
    rig.store.fail(Method::Commit, 2, Fault::First(Box::new(late)));
    assert_eq!(rig.drain().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    assert_eq!((rig.progress.signed(), rig.progress.fenced()), (200, 0));
    rig.check_all_signed();
    rig.check_no_work_done_twice();
    assert_eq!(rig.store.count(Method::RenewNode), 0, "no reason to doubt the lease");
}

#[actix_rt::test]
async fn a_run_that_cannot_begin_says_why() {
    for method in AT_START {
        let rig = rig();
        rig.store.fail(method, 1, Fault::NotPersisted(StoreError::Busy));
        assert_eq!(rig.drain().await, Err(RunError::Store(StoreError::Busy)), "{method:?}");
    }
}

#[actix_rt::test]
async fn a_command_ends_with_what_the_schema_refuses_after_it_stored_the_rest() {
    // Also when the bad batch keeps the only key.
    for (keys, signed) in [(5, 190), (1, 20)] {
        let mut rig = Rig::new(200, keys, 10);
        rig.settings.prefetch = Some(30);
        let bad = BatchId(3);
        rig.script.refuse(bad);
        assert_eq!(rig.drain().await, Err(RunError::Store(refusal(bad))));
        assert_eq!(rig.progress.signed(), signed);
        rig.check();
        rig.check_no_work_done_twice();
        assert_eq!(rig.leased(), 0, "the batch went back");
    }
}

#[actix_rt::test]
async fn a_service_goes_on_without_a_batch_that_the_schema_refuses() {
    let rig = rig();
    let bad = BatchId(3);
    rig.script.refuse(bad);
    let running = rig.start(SERVE);
    rig.until(|rig| rig.progress.signed() == 190).await;
    rig.insert(10);
    rig.until(|rig| rig.progress.signed() == 200).await;
    rig.check();
    rig.check_no_work_done_twice();
    assert_eq!(rig.leased(), 1, "the bad batch is left alone for a while");
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    assert_eq!(rig.leased(), 0, "it went back with the node");
}

#[actix_rt::test]
async fn what_was_refused_comes_back_on_top_of_whatever_was_leased_in_its_place() {
    tokio::time::pause();
    let mut rig = Rig::new(30, 5, 5);
    (rig.settings.signers, rig.settings.prefetch) = (1, Some(1));
    rig.by_hand = Some(Arc::default());
    let jobs = rig.by_hand.clone().unwrap();
    let waiting = |_: &Rig| jobs.lock().unwrap().len();
    let finish_all = || jobs.lock().unwrap().drain(..).for_each(Job::finish);
    (1..=2).for_each(|batch| rig.script.refuse(BatchId(batch)));
    let running = rig.start(SERVE);
    rig.until(|rig| waiting(rig) == 2).await;
    finish_all();
    rig.until(|rig| waiting(rig) == 2 && rig.leased() == 4).await;
    // A minute later the two that were refused go back, while as many others are in hand.
    tokio::time::advance(Duration::from_secs(61)).await;
    rig.script.refuse_none();
    rig.until(|rig| rig.leased() == 2).await;
    while rig.progress.signed() < 30 {
        finish_all();
        actix_rt::task::yield_now().await;
    }
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    rig.check_all_signed();
}

#[actix_rt::test]
async fn a_service_outlasts_whatever_may_pass() {
    let passing = [
        StoreError::Busy,
        StoreError::Unavailable("the server closed the connection".into()),
        StoreError::Full,
        StoreError::ReadOnly("a standby".into()),
        StoreError::Other("nobody foresaw this".into()),
    ];
    for method in ON_THE_WAY.into_iter().chain([Method::Outcomes]) {
        for error in &passing {
            let rig = rig();
            if method == Method::Outcomes {
                rig.store.fail(Method::Commit, 1, Fault::Persisted);
            }
            (1..=3).for_each(|nth| rig.store.fail(method, nth, Fault::NotPersisted(error.clone())));
            let running = rig.start(SERVE);
            rig.until(|rig| rig.progress.signed() == 200).await;
            assert_eq!(running.stopped().await, Ok(Ending::Stopped), "{method:?}: {error}");
            rig.check_all_signed();
        }
    }
}

#[actix_rt::test]
async fn a_service_ends_when_the_data_is_not_what_it_must_be() {
    for method in ON_THE_WAY.into_iter().filter(|method| *method != Method::StoredKey) {
        let rig = rig();
        let corrupt = StoreError::Corrupt("a batch without records".into());
        rig.store.fail(method, 1, Fault::NotPersisted(corrupt.clone()));
        let ended = rig.start(SERVE).ended().await;
        assert_eq!(ended, Err(RunError::Store(corrupt)), "{method:?}");
        rig.check();
    }
}

#[actix_rt::test]
async fn a_full_disk_ends_a_command_and_is_waited_out_by_a_service() {
    let rig = rig();
    rig.store.fail(Method::Commit, 1, Fault::NotPersisted(StoreError::Full));
    assert_eq!(rig.drain().await, Err(RunError::Store(StoreError::Full)));
    rig.check();

    let rig = self::rig();
    (1..=3).for_each(|nth| rig.store.fail(Method::Commit, nth, Fault::NotPersisted(StoreError::Full)));
    let running = rig.start(SERVE);
    rig.until(|rig| rig.progress.signed() == 200).await;
    running.stopped().await.unwrap();
    rig.check_all_signed();
    rig.check_no_work_done_twice();
}

#[actix_rt::test]
async fn a_command_tries_for_ten_seconds_and_no_longer() {
    let rig = rig();
    let broken = || StoreError::Unavailable("disk I/O error".into());
    let fail = move |method| (method == Method::Commit).then(|| Fault::NotPersisted(broken()));
    rig.store.fail_as_drawn(fail);
    let running = rig.start(Mode::Drain);
    rig.until(|rig| rig.store.count(Method::Commit) == 2).await;
    rig.advance(Duration::from_secs(9));
    let tried = rig.store.count(Method::Commit);
    rig.until(|rig| rig.store.count(Method::Commit) > tried + 1).await;
    rig.advance(Duration::from_secs(1));
    assert_eq!(running.ended().await, Err(RunError::Store(broken())));
    rig.check();
    assert_eq!(rig.leased(), 0, "the batches went back");
}

#[actix_rt::test]
async fn a_panic_on_the_database_thread_is_survived() {
    for method in [Method::OpenBatches, Method::Lease, Method::ReadPayloads, Method::Commit] {
        let rig = rig();
        rig.store.fail(method, 1, Fault::First(Box::new(|| panic!("as the test wants"))));
        let store: Arc<dyn Store> = rig.store.clone();
        let executor = DbExecutor::start(&store, 1);
        let ending = rig.service(Db::of(&executor), Mode::Drain, Stop::default()).await;
        assert_eq!(ending, Ok(Ending::Drained { held_elsewhere: 0 }), "{method:?}");
        rig.check_all_signed();
    }
}

#[actix_rt::test]
async fn leases_that_can_neither_be_read_nor_given_back_are_not_forgotten() {
    let away = || Fault::NotPersisted(StoreError::Unavailable("the connection broke".into()));
    let rig = rig();
    rig.store.fail(Method::ReadPayloads, 1, away());
    rig.store.fail(Method::Release, 1, away());
    let store: Arc<dyn Store> = rig.store.clone();
    let executor = DbExecutor::start(&store, 1);
    let service = rig.service(Db::of(&executor), Mode::Drain, Stop::default());
    let ending = actix_rt::time::timeout(Duration::from_secs(60), service).await;
    assert_eq!(ending, Ok(Ok(Ending::Drained { held_elsewhere: 0 })));
    rig.check_all_signed();
}
