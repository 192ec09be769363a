//! What another edge beside the command line needs of a run: to tell it of records, to hear what it has stored,
//! and to read for long without being in its way.

use std::{
    sync::{Arc, mpsc::channel},
    time::Duration,
};

use actix_rt::time::timeout;
use signwave::{
    actors::{self, Ending, Parts},
    config::Settings,
    domain::{InsertVerdict, KeyId, KeyState, RecordId},
    store::{self, DatabaseUrl, KeyPool, NewRecord, OnConflict, Store},
};
use support::{
    faulty::{Fault, Method},
    store::by,
};

use crate::{
    rig::{Rig, SERVE, scripted_key},
    signers::{Opener, Signers},
};

fn insert(store: &dyn Store, payload: &str) -> RecordId {
    let record = NewRecord { external_id: None, payload: payload.as_bytes() };
    match store.insert_records(&[record], OnConflict::Stop).unwrap()[..] {
        [InsertVerdict::Inserted(id)] => id,
        ref verdicts => panic!("{verdicts:?}"),
    }
}

#[actix_rt::test]
async fn a_record_that_another_edge_adds_is_signed_at_once_and_its_commit_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("s.db"));
    store::migrate(&url).unwrap();
    let store = store::open(&url).unwrap();
    store.add_key(&scripted_key(1), &by()).unwrap();
    // Nothing else makes the run look before the test gives up.
    let (poll_interval, lease_ttl) = (Duration::from_secs(60), Duration::from_secs(600));
    let settings = Settings { poll_interval, lease_ttl, signers: 1, ..Settings::default() };
    let parts = Parts::new(settings, Arc::new(Opener(Arc::new(Signers::default()))), SERVE);
    let (news, stop, mut commits) = (parts.news.clone(), parts.stop.clone(), parts.commits.listen());
    let run = actix_rt::spawn(actors::run(parts, Arc::clone(&store)));
    for payload in ["one", "two", "three"] {
        let record = insert(store.as_ref(), payload);
        news.tell();
        let heard = timeout(Duration::from_secs(50), commits.recv()).await;
        let committed = heard.expect("long before the next poll").unwrap();
        assert_eq!(committed.records.iter().collect::<Vec<_>>(), [record]);
        let batch = store.batch_of(record).unwrap().expect("its signature can be read");
        assert_eq!(batch.id, committed.batch);
    }
    stop.request();
    assert_eq!(run.await.unwrap(), Ok(Ending::Stopped));
}

#[actix_rt::test]
async fn a_read_that_takes_long_does_not_keep_the_lease_from_being_renewed() {
    let mut rig = Rig::new(5, 1, 5);
    rig.settings.lease_ttl = Duration::from_secs(1);
    // Without a key that may sign, a run asks how many there are.
    rig.memory.set_key_state(KeyId(1), KeyState::Disabled, None, &by()).unwrap();
    let (answer, silence) = channel::<()>();
    let wait = move || silence.recv().unwrap_or(());
    rig.store.fail(Method::Status, 1, Fault::First(Box::new(wait)));
    let running = rig.run(SERVE);
    rig.until(|rig| rig.store.count(Method::Status) == 1).await;
    let before = rig.store.count(Method::RenewNode);
    rig.until(|rig| rig.store.count(Method::RenewNode) == before + 2).await;
    drop(answer);
    assert_eq!(running.stopped().await, Ok(Ending::Stopped));
}
