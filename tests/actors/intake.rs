//! Single records: stored in groups, each with a separate verdict, whatever happens to the others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use actix::{Actor, Addr, Arbiter};
use actix_rt::{task::JoinHandle, time::timeout};
use signwave::{
    actors::{
        self, Ending, News, Parts,
        db_executor::DbExecutor,
        intake::{self, Intake, SubmitError},
        messages::{Incoming, Insert},
    },
    config::Settings,
    domain::{InsertVerdict, RecordId},
    store::{self, Audit, DatabaseUrl, StoreError},
};
use support::faulty::{Fault, Method};

use crate::{
    rig::{Rig, SERVE, scripted_key},
    signers::{Opener, Signers},
    stand_in::StandIn,
};

type Verdict = Result<InsertVerdict, SubmitError>;

fn start(rig: &Rig) -> Addr<Intake> {
    let db = StandIn { store: rig.store.clone(), script: rig.script.clone() }.start();
    Intake::new(db.recipient(), News::default()).start()
}

fn record(name: &str, payload: &str) -> Incoming {
    Incoming { external_id: Some(name.to_owned()), payload: payload.to_owned().into() }
}

/// Sends a record, without waiting for the verdict.
fn submit(intake: &Addr<Intake>, record: Incoming) -> JoinHandle<Verdict> {
    let intake = intake.clone();
    actix_rt::spawn(async move { intake::submit(&intake, record).await })
}

/// Sends so many records of different names, the first of which is alone in the first transaction.
fn submit_each(intake: &Addr<Intake>, count: usize) -> Vec<JoinHandle<Verdict>> {
    (0..count).map(|i| submit(intake, record(&format!("name {i}"), "payload"))).collect()
}

/// Gives so many records the time to arrive: the mailbox takes several each time that the reactor turns.
async fn arrive(records: usize) {
    for _ in 0..records {
        actix_rt::task::yield_now().await;
    }
}

async fn verdicts(submits: Vec<JoinHandle<Verdict>>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for submit in submits {
        verdicts.push(submit.await.unwrap());
    }
    verdicts
}

fn inserted(id: i64) -> Verdict {
    Ok(InsertVerdict::Inserted(RecordId(id)))
}

fn there(id: i64) -> Verdict {
    Ok(InsertVerdict::AlreadyThere(RecordId(id)))
}

#[actix_rt::test]
async fn what_comes_while_a_transaction_runs_is_stored_together_in_the_next() {
    let rig = Rig::new(0, 0, 1);
    let intake = start(&rig);
    let mut first = rig.script.hold::<Insert>(1);
    let submits = submit_each(&intake, 1500);
    first.arrived().await;
    arrive(1500).await;
    assert_eq!(rig.store.count(Method::InsertRecords), 0);
    first.go_on();
    let verdicts = verdicts(submits).await;
    assert_eq!(verdicts, (1..=1500).map(inserted).collect::<Vec<_>>(), "in the order of their arrival");
    assert_eq!(rig.store.count(Method::InsertRecords), 3, "1, 1000 and 499 records");
}

#[actix_rt::test]
async fn a_lost_reply_is_an_error_for_each_of_the_group_and_sending_again_tells_the_truth() {
    let rig = Rig::new(0, 0, 1);
    let intake = start(&rig);
    rig.store.fail(Method::InsertRecords, 2, Fault::Persisted);
    let mut first = rig.script.hold::<Insert>(1);
    let submits = submit_each(&intake, 4);
    first.arrived().await;
    arrive(10).await;
    first.go_on();
    let lost = verdicts(submits).await;
    assert_eq!(lost[0], inserted(1));
    for verdict in &lost[1..] {
        assert!(matches!(verdict, Err(SubmitError::Store(StoreError::UnknownOutcome(_)))), "{verdict:?}");
    }
    let again = verdicts(submit_each(&intake, 4)).await;
    assert_eq!(again, (1..=4).map(there).collect::<Vec<_>>());
}

#[actix_rt::test]
async fn an_outage_is_an_error_and_nothing_is_stored_until_it_is_sent_again() {
    let rig = Rig::new(0, 0, 1);
    let intake = start(&rig);
    rig.store.fail(Method::InsertRecords, 1, Fault::NotPersisted(StoreError::Busy));
    let refused = submit(&intake, record("a", "1")).await.unwrap();
    assert_eq!(refused, Err(SubmitError::Store(StoreError::Busy)));
    assert_eq!(rig.memory.counts().unwrap().records, 0);
    assert_eq!(submit(&intake, record("a", "1")).await.unwrap(), inserted(1));
}

#[actix_rt::test]
async fn a_panic_of_the_store_is_an_error_and_the_next_record_is_stored() {
    let rig = Rig::new(0, 0, 1);
    let intake = start(&rig);
    rig.store.fail(Method::InsertRecords, 1, Fault::First(Box::new(|| panic!("as planned"))));
    let panicked = submit(&intake, record("a", "1")).await.unwrap();
    assert!(matches!(panicked, Err(SubmitError::Store(StoreError::UnknownOutcome(_)))), "{panicked:?}");
    assert_eq!(submit(&intake, record("a", "1")).await.unwrap(), inserted(1));
}

#[actix_rt::test]
async fn conflicts_and_repeated_names_in_a_group_do_not_touch_the_others() {
    let rig = Rig::new(0, 0, 1);
    let intake = start(&rig);
    let mut first = rig.script.hold::<Insert>(1);
    let records = [("a", "1"), ("b", "2"), ("a", "other"), ("b", "2"), ("b", "other"), ("c", "3")];
    let submits = records.map(|(name, payload)| submit(&intake, record(name, payload)));
    first.arrived().await;
    arrive(10).await;
    first.go_on();
    let conflict = || Ok(InsertVerdict::Conflict);
    let expected = [inserted(1), inserted(2), conflict(), there(2), conflict(), inserted(3)];
    assert_eq!(verdicts(submits.into()).await, expected);
    assert_eq!(rig.memory.counts().unwrap().records, 3);
}

#[actix_rt::test]
async fn a_record_that_the_schema_refuses_does_not_touch_the_others() {
    let rig = Rig::new(0, 0, 1);
    let intake = start(&rig);
    let too_large = || Incoming { external_id: None, payload: vec![0; (16 << 20) + 1].into() };
    let mut first = rig.script.hold::<Insert>(1);
    let mut submits = submit_each(&intake, 3);
    submits.push(submit(&intake, too_large()));
    submits.extend(["x", "y"].map(|name| submit(&intake, record(name, "payload"))));
    first.arrived().await;
    arrive(10).await;
    first.go_on();
    let mut verdicts = verdicts(submits).await;
    let refused = verdicts.remove(3);
    assert!(matches!(refused, Err(SubmitError::Store(StoreError::Refused(_)))), "{refused:?}");
    assert_eq!(verdicts, (1..=5).map(inserted).collect::<Vec<_>>());
}

#[actix_rt::test]
async fn a_full_queue_refuses_at_once_and_stores_all_that_it_took() {
    let rig = Rig::new(0, 0, 1);
    let intake = start(&rig);
    let mut first = rig.script.hold::<Insert>(1);
    let refused = Arc::new(AtomicUsize::new(0));
    let submits = submit_each(&intake, 10_001 + 7);
    let counted: Vec<_> = submits
        .into_iter()
        .map(|submit| {
            let refused = refused.clone();
            actix_rt::spawn(async move {
                let verdict = submit.await.unwrap();
                refused.fetch_add(usize::from(verdict == Err(SubmitError::Overloaded)), SeqCst);
                verdict
            })
        })
        .collect();
    first.arrived().await;
    rig.until(|_| refused.load(SeqCst) == 7).await;
    assert_eq!(rig.memory.counts().unwrap().records, 0, "the refusal waits for nothing");
    first.go_on();
    let verdicts = verdicts(counted).await;
    assert_eq!(verdicts.iter().filter(|verdict| verdict.is_ok()).count(), 10_001);
    assert_eq!(rig.memory.counts().unwrap().records, 10_001);
}

#[actix_rt::test]
async fn a_caller_that_gives_up_before_the_transaction_begins_stores_nothing() {
    let rig = Rig::new(0, 0, 1);
    let intake = start(&rig);
    let mut first = rig.script.hold::<Insert>(1);
    let mut submits = submit_each(&intake, 3);
    first.arrived().await;
    arrive(10).await;
    submits.remove(1).abort();
    first.go_on();
    assert_eq!(verdicts(submits).await, [inserted(1), inserted(2)]);
    assert_eq!(rig.memory.counts().unwrap().records, 2);
}

#[actix_rt::test]
async fn the_end_of_the_executor_is_an_error_and_no_silence() {
    let rig = Rig::new(0, 0, 1);
    let arbiter = Arbiter::new();
    let executor = StandIn { store: rig.store.clone(), script: rig.script.clone() };
    let executor = StandIn::start_in_arbiter(&arbiter.handle(), |_| executor);
    let intake = Intake::new(executor.recipient(), News::default()).start();
    assert_eq!(submit(&intake, record("a", "1")).await.unwrap(), inserted(1));
    arbiter.stop();
    arbiter.join().unwrap();
    let ended = submit(&intake, record("b", "1")).await.unwrap();
    assert!(matches!(ended, Err(SubmitError::Store(StoreError::Other(_)))), "{ended:?}");
}

#[actix_rt::test]
async fn a_submitted_record_is_signed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("s.db"));
    store::migrate(&url).unwrap();
    let store = store::open(&url).unwrap();
    store.add_key(&scripted_key(1), &support::store::by()).unwrap();
    // Nothing else makes the run look before the test gives up.
    let (poll_interval, lease_ttl) = (Duration::from_secs(60), Duration::from_secs(600));
    let settings = Settings { poll_interval, lease_ttl, signers: 1, ..Settings::default() };
    let parts = Parts::new(settings, Arc::new(Opener(Arc::new(Signers::default()))), SERVE);
    let (stop, mut commits) = (parts.stop.clone(), parts.commits.listen());
    let intake = Intake::new(DbExecutor::start(&store, 1).recipient(), parts.news.clone()).start();
    let run = actix_rt::spawn(actors::run(parts, Arc::clone(&store)));
    for id in 1..=3 {
        assert_eq!(submit(&intake, record(&format!("name {id}"), "payload")).await.unwrap(), inserted(id));
        let heard = timeout(Duration::from_secs(50), commits.recv()).await;
        let committed = heard.expect("long before the next poll").unwrap();
        assert_eq!(committed.records.iter().collect::<Vec<_>>(), [RecordId(id)]);
    }
    stop.request();
    assert_eq!(run.await.unwrap(), Ok(Ending::Stopped));
}
