//! Each fault of the plan: a call that fails, before or after it took effect.

use std::{sync::Arc, time::Duration};

use signwave::{
    actors::{Ending, Mode, RunError, Stop, db::Db, db_executor::DbExecutor, signing_pool::Job},
    domain::BatchId,
    store::{Fault, Method, Store, StoreError},
};

use crate::{
    stand_in::refusal,
    world::{SERVE, World},
};

/// What a run calls before it can do without it; these fail it, the others do not.
const AT_START: [Method; 2] = [Method::Reclaim, Method::RegisterNode];
const ON_THE_WAY: [Method; 4] = [Method::OpenBatches, Method::Lease, Method::StoredKey, Method::Commit];

fn world() -> World {
    World::new(200, 5, 10)
}

#[actix_rt::test]
async fn a_call_that_fails_in_passing_is_made_again() {
    for method in ON_THE_WAY {
        for error in [StoreError::Busy, StoreError::Unavailable("gone".into())] {
            for nth in [1, 2] {
                let world = world();
                world.store.fail(method, nth, Fault::NotPersisted(error.clone()));
                assert_eq!(
                    world.drain().await,
                    Ok(Ending::Drained { held_elsewhere: 0 }),
                    "{method:?} {nth}"
                );
                world.check_all_signed();
            }
        }
    }
}

#[actix_rt::test]
async fn an_unknown_outcome_never_signs_twice_whether_it_was_persisted_or_not() {
    for method in ON_THE_WAY {
        for persisted in [true, false] {
            let world = world();
            let lost = || StoreError::UnknownOutcome("as planned".into());
            let fault = if persisted { Fault::Persisted } else { Fault::NotPersisted(lost()) };
            world.store.fail(method, 1, fault);
            let ending = world.drain().await;
            assert_eq!(ending, Ok(Ending::Drained { held_elsewhere: 0 }), "{method:?} {persisted}");
            world.check_all_signed();
            if method == Method::Commit {
                world.check_no_work_done_twice();
                assert!(world.store.count(Method::Outcomes) >= 1, "the outcome was read back");
            }
        }
    }
}

#[actix_rt::test]
async fn reading_back_may_fail_too() {
    let world = world();
    world.store.fail(Method::Commit, 1, Fault::Persisted);
    world.store.fail(Method::Outcomes, 1, Fault::NotPersisted(StoreError::Busy));
    world.drain().await.unwrap();
    world.check_all_signed();
    world.check_no_work_done_twice();
}

#[actix_rt::test]
async fn a_first_commit_that_ends_after_it_was_read_back_counts_as_ours() {
    let world = world();
    // The connection breaks; the batch is read back as not stored, and sent again; and just then the
    // first transaction ends.
    let lost = StoreError::UnknownOutcome("as planned".into());
    world.store.fail(Method::Commit, 1, Fault::NotPersisted(lost));
    let (script, memory) = (world.script.clone(), world.memory.clone());
    let late = move || script.store_what_was_sent(memory.as_ref());
    world.store.fail(Method::Commit, 2, Fault::First(Box::new(late)));
    assert_eq!(world.drain().await, Ok(Ending::Drained { held_elsewhere: 0 }));
    assert_eq!((world.progress.signed(), world.progress.fenced()), (200, 0));
    world.check_all_signed();
    world.check_no_work_done_twice();
    assert_eq!(world.store.count(Method::RenewNode), 0, "no reason to doubt the lease");
}

#[actix_rt::test]
async fn a_run_that_cannot_begin_says_why() {
    for method in AT_START {
        let world = world();
        world.store.fail(method, 1, Fault::NotPersisted(StoreError::Busy));
        assert_eq!(world.drain().await, Err(RunError::Store(StoreError::Busy)), "{method:?}");
    }
}

#[actix_rt::test]
async fn a_command_ends_with_what_the_schema_refuses_after_it_stored_the_rest() {
    // Also when the bad batch keeps the only key.
    for (keys, signed) in [(5, 190), (1, 20)] {
        let mut world = World::new(200, keys, 10);
        world.settings.prefetch = Some(30);
        let bad = BatchId(3);
        world.script.refuse(bad);
        assert_eq!(world.drain().await, Err(RunError::Store(refusal(bad))));
        assert_eq!(world.progress.signed(), signed);
        world.check();
        world.check_no_work_done_twice();
        assert_eq!(world.leased(), 0, "the batch went back");
    }
}

#[actix_rt::test]
async fn a_service_goes_on_without_a_batch_that_the_schema_refuses() {
    let world = world();
    let bad = BatchId(3);
    world.script.refuse(bad);
    let running = world.start(SERVE);
    world.until(|world| world.progress.signed() == 190).await;
    world.insert(10);
    world.until(|world| world.progress.signed() == 200).await;
    world.check();
    world.check_no_work_done_twice();
    assert_eq!(world.leased(), 1, "the bad batch is left alone for a while");
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    assert_eq!(world.leased(), 0, "it went back with the node");
}

#[actix_rt::test]
async fn what_was_refused_comes_back_on_top_of_whatever_was_leased_in_its_place() {
    tokio::time::pause();
    let mut world = World::new(30, 5, 5);
    (world.settings.signers, world.settings.prefetch) = (1, Some(1));
    world.by_hand = Some(Arc::default());
    let jobs = world.by_hand.clone().unwrap();
    let waiting = |_: &World| jobs.lock().unwrap().len();
    let finish_all = || jobs.lock().unwrap().drain(..).for_each(Job::finish);
    (1..=2).for_each(|batch| world.script.refuse(BatchId(batch)));
    let running = world.start(SERVE);
    world.until(|world| waiting(world) == 2).await;
    finish_all();
    world.until(|world| waiting(world) == 2 && world.leased() == 4).await;
    // A minute later the two that were refused go back, while as many others are in hand.
    tokio::time::advance(Duration::from_secs(61)).await;
    world.script.refuse_none();
    world.until(|world| world.leased() == 2).await;
    while world.progress.signed() < 30 {
        finish_all();
        actix_rt::task::yield_now().await;
    }
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
    world.check_all_signed();
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
            let world = world();
            if method == Method::Outcomes {
                world.store.fail(Method::Commit, 1, Fault::Persisted);
            }
            (1..=3).for_each(|nth| world.store.fail(method, nth, Fault::NotPersisted(error.clone())));
            let running = world.start(SERVE);
            world.until(|world| world.progress.signed() == 200).await;
            assert_eq!(running.stopped().await, Ok(Ending::Stopped), "{method:?}: {error}");
            world.check_all_signed();
        }
    }
}

#[actix_rt::test]
async fn a_service_ends_when_the_data_is_not_what_it_must_be() {
    for method in ON_THE_WAY.into_iter().filter(|method| *method != Method::StoredKey) {
        let world = world();
        let corrupt = StoreError::Corrupt("a batch without records".into());
        world.store.fail(method, 1, Fault::NotPersisted(corrupt.clone()));
        let ended = world.start(SERVE).ended().await;
        assert_eq!(ended, Err(RunError::Store(corrupt)), "{method:?}");
        world.check();
    }
}

#[actix_rt::test]
async fn a_full_disk_ends_a_command_and_is_waited_out_by_a_service() {
    let world = world();
    world.store.fail(Method::Commit, 1, Fault::NotPersisted(StoreError::Full));
    assert_eq!(world.drain().await, Err(RunError::Store(StoreError::Full)));
    world.check();

    let world = self::world();
    (1..=3).for_each(|nth| world.store.fail(Method::Commit, nth, Fault::NotPersisted(StoreError::Full)));
    let running = world.start(SERVE);
    world.until(|world| world.progress.signed() == 200).await;
    running.stopped().await.unwrap();
    world.check_all_signed();
    world.check_no_work_done_twice();
}

#[actix_rt::test]
async fn a_command_does_not_try_for_ever() {
    let world = world();
    let broken = || StoreError::Unavailable("disk I/O error".into());
    (1..=100).for_each(|nth| world.store.fail(Method::Commit, nth, Fault::NotPersisted(broken())));
    assert_eq!(world.drain().await, Err(RunError::Store(broken())));
    world.check();
    assert_eq!(world.leased(), 0, "the batches went back");
}

#[actix_rt::test]
async fn a_panic_on_the_database_thread_is_survived() {
    for method in [Method::OpenBatches, Method::Lease, Method::ReadPayloads, Method::Commit] {
        let world = world();
        world.store.fail(method, 1, Fault::First(Box::new(|| panic!("as the test wants"))));
        let store: Arc<dyn Store> = world.store.clone();
        let executor = DbExecutor::start(&store, 1);
        let ending = world.service(Db::of(&executor), Mode::Drain, Stop::default()).await;
        assert_eq!(ending, Ok(Ending::Drained { held_elsewhere: 0 }), "{method:?}");
        world.check_all_signed();
    }
}

#[actix_rt::test]
async fn leases_that_can_neither_be_read_nor_given_back_are_not_forgotten() {
    let away = || Fault::NotPersisted(StoreError::Unavailable("the connection broke".into()));
    let world = world();
    world.store.fail(Method::ReadPayloads, 1, away());
    world.store.fail(Method::Release, 1, away());
    let store: Arc<dyn Store> = world.store.clone();
    let executor = DbExecutor::start(&store, 1);
    let service = world.service(Db::of(&executor), Mode::Drain, Stop::default());
    let ending = actix_rt::time::timeout(Duration::from_secs(20), service).await;
    assert_eq!(ending, Ok(Ok(Ending::Drained { held_elsewhere: 0 })));
    world.check_all_signed();
}
