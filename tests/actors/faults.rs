//! Each fault of the plan: a call that fails, before or after it took effect.

use std::sync::Arc;

use actix::SyncArbiter;
use signwave::{
    actors::{Ending, Mode, RunError, Stop, db::Db, db_executor::DbExecutor},
    store::{Fault, Method, Store, StoreError},
};

use crate::world::World;

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
async fn what_the_schema_refuses_ends_the_run_and_is_never_tried_again() {
    let world = world();
    let refused = StoreError::Refused("record 1 has a signature already".into());
    world.store.fail(Method::Commit, 1, Fault::NotPersisted(refused.clone()));
    assert_eq!(world.drain().await, Err(RunError::Store(refused)));
    world.check();
    assert_eq!(world.leased(), 0, "the batches went back");
}

#[actix_rt::test]
async fn a_full_disk_ends_a_command_and_is_waited_out_by_a_service() {
    let world = world();
    world.store.fail(Method::Commit, 1, Fault::NotPersisted(StoreError::Full));
    assert_eq!(world.drain().await, Err(RunError::Store(StoreError::Full)));
    world.check();

    let world = self::world();
    (1..=3).for_each(|nth| world.store.fail(Method::Commit, nth, Fault::NotPersisted(StoreError::Full)));
    let running = world.start(Mode::Serve);
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
        let executor = SyncArbiter::start(1, move || DbExecutor::new(store.clone()));
        let ending = world.service(Db::of(&executor), Mode::Drain, Stop::default()).await;
        assert_eq!(ending, Ok(Ending::Drained { held_elsewhere: 0 }), "{method:?}");
        world.check_all_signed();
    }
}
