//! Connections that break, transactions that collide, outcomes that nobody heard.

use std::{
    thread,
    time::{Duration, Instant},
};

use signwave::{
    domain::{CommitVerdict, Outcome, Reach},
    store::{self, DatabaseUrl, NewRecord, OnConflict, StoreError},
};
use support::{
    postgres::{Cluster, at_port, database_of, patient},
    proxy::{Loss, Proxy},
    store::{MINUTE, add_keys, add_records, lease, open_all, register, sign},
    waiting::{timely, until},
};

use crate::{Database, lines, open, run};

#[test]
fn connections_that_the_server_ended_are_replaced_without_an_error() {
    let database = Database::new("ended");
    let store = &*database.store;
    let node = register(store);
    for _ in 0..3 {
        thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(|| store.status().unwrap())));
        assert!(Cluster::shared().terminate_backends(database_of(&database.url)) > 0);
        store.renew_node(node, MINUTE, &Reach::default()).unwrap();
        add_records(store, 1);
    }
}

#[test]
fn a_connection_that_was_lost_is_replaced_whatever_is_asked_of_it_first() {
    let database = Database::new("asked");
    let store = store::open_with(&DatabaseUrl::parse(&patient(&database.url)).unwrap(), 1, &[]).unwrap();
    for _ in 0..3 {
        store
            .insert_records(&[NewRecord { external_id: Some("name"), payload: b"payload" }], OnConflict::Stop)
            .unwrap();
        assert!(Cluster::shared().terminate_backends(database_of(&database.url)) > 0);
        assert_eq!(store.reclaim(None, MINUTE), Ok(vec![]));
    }
}

#[test]
fn a_lock_that_is_held_too_long_is_busy_and_nothing_happened() {
    let database = Database::new("busy");
    let store = &*database.store;
    add_records(store, 1);
    let (node, mut holder) = (register(store), database.stranger());
    run(&mut holder, "BEGIN; LOCK TABLE batch IN ACCESS EXCLUSIVE MODE");
    let error = store.lease(node, signwave::domain::Scheme::Ps256, 1, &Reach::default()).unwrap_err();
    assert!(matches!(&error, StoreError::HeldUp(who) if who.contains("holds batch")), "{error}");
    run(&mut holder, "ROLLBACK");
    assert_eq!(open_all(store, 1), 1);
}

#[test]
fn a_dead_node_that_still_holds_its_batches_in_a_transaction_is_reclaimed_at_once() {
    timely("it was reclaimed", Duration::from_secs(3), || {
        let database = Database::new("holder");
        let store = &*database.store;
        add_keys(store, 1);
        add_records(store, 1);
        open_all(store, 1);
        let node = store.register_node("node", Duration::ZERO, &Reach::default()).unwrap();
        lease(store, node, 1);
        // As a node that was paused while it sent signatures: no timeout of the server applies then.
        let mut paused = database.stranger();
        run(
            &mut paused,
            "SET idle_in_transaction_session_timeout = 0; BEGIN; SELECT FROM batch FOR NO KEY UPDATE",
        );
        let begun = Instant::now();
        let reclaimed = store.reclaim(None, Duration::ZERO).unwrap();
        let took = begun.elapsed();
        assert_eq!(reclaimed.iter().map(|dead| (dead.node, dead.batches)).collect::<Vec<_>>(), [(node, 1)]);
        assert!(diesel::connection::SimpleConnection::batch_execute(&mut paused, "COMMIT").is_err());
        took
    });
}

#[test]
fn of_two_transactions_in_a_deadlock_one_is_tried_again() {
    let database = Database::new("deadlock");
    let store = &*database.store;
    let keys = add_keys(store, 1);
    add_records(store, 1);
    open_all(store, 1);
    let node = register(store);
    let batch = sign(lease(store, node, 1).remove(0));
    let mut other = database.stranger();
    // The commit takes the batch first, then the key; the other goes the other way round.
    run(&mut other, &format!("BEGIN; SELECT FROM signing_key WHERE id = {} FOR UPDATE", keys[0]));
    thread::scope(|scope| {
        let commit = scope.spawn(|| store.commit(&[batch]));
        until("the commit waits", MINUTE, || is_waiting(&database));
        // Now each waits for the other; the server ends one of them, perhaps this one.
        let _ = diesel::connection::SimpleConnection::batch_execute(
            &mut other,
            "SELECT FROM batch WHERE id = 1 FOR UPDATE",
        );
        drop(other);
        assert_eq!(commit.join().unwrap().unwrap(), [CommitVerdict::Committed]);
    });
}

/// A store behind a proxy, with one batch that is signed but not stored.
fn signed_batch(name: &str) -> (Database, Proxy, std::sync::Arc<dyn signwave::store::Store>) {
    let database = Database::new(name);
    add_keys(&*database.store, 1);
    add_records(&*database.store, 3);
    open_all(&*database.store, 3);
    let proxy = Proxy::to(Cluster::shared().port());
    let through = open(&at_port(&database.url, proxy.port()));
    (database, proxy, through)
}

#[test]
fn a_commit_whose_answer_was_lost_is_unknown_and_read_back_as_stored() {
    let (database, proxy, through) = signed_batch("answer");
    let lease = lease(&*database.store, register(&*database.store), 1).remove(0);
    let sent = (lease.batch(), lease.epoch());
    proxy.lose(Loss::Answer, 1, "signature");
    let batch = sign(lease);
    let batches = [batch];
    let error = through.commit(&batches).unwrap_err();
    assert!(matches!(error, StoreError::UnknownOutcome(_)), "{error}");
    assert_eq!(through.outcomes(&[sent]).unwrap(), [Outcome::Stored]);
    // The same bytes once more change nothing, and say whose they are.
    let verdict = through.commit(&batches).unwrap()[0];
    assert!(matches!(verdict, CommitVerdict::Fenced { epoch, .. } if epoch == sent.1), "{verdict:?}");
    assert_eq!(database.store.status().unwrap().signed, 3);
}

#[test]
fn a_commit_that_never_arrived_is_unknown_and_read_back_as_not_stored() {
    let (database, proxy, through) = signed_batch("request");
    let lease = lease(&*database.store, register(&*database.store), 1).remove(0);
    let sent = (lease.batch(), lease.epoch());
    proxy.lose(Loss::Request, 1, "signature");
    let batches = [sign(lease)];
    let error = through.commit(&batches).unwrap_err();
    assert!(matches!(error, StoreError::UnknownOutcome(_)), "{error}");
    assert_eq!(through.outcomes(&[sent]).unwrap(), [Outcome::NotStored]);
    assert_eq!(through.commit(&batches).unwrap(), [CommitVerdict::Committed]);
}

#[test]
fn reading_back_waits_for_a_commit_that_is_still_at_work() {
    let database = Database::new("at_work");
    let store = &*database.store;
    add_keys(store, 1);
    add_records(store, 1);
    open_all(store, 1);
    let lease = lease(store, register(store), 1).remove(0);
    let sent = [(lease.batch(), lease.epoch())];
    // What a commit has done before its COMMIT.
    let mut other = database.stranger();
    run(
        &mut other,
        "BEGIN; SELECT FROM batch WHERE id = 1 FOR NO KEY UPDATE; INSERT INTO signature VALUES (1, 1, 'x'); \
         UPDATE batch SET state = 'signed', node_id = NULL, signed_at = now() WHERE id = 1; \
         INSERT INTO receipt VALUES (2, 1, sha256(''), NULL, sha256(''))",
    );
    thread::scope(|scope| {
        let outcomes = scope.spawn(|| store.outcomes(&sent));
        until("reading back waits", MINUTE, || is_waiting(&database));
        run(&mut other, "COMMIT");
        assert_eq!(outcomes.join().unwrap().unwrap(), [Outcome::Stored]);
    });
}

/// Whether a session waits for a lock.
fn is_waiting(database: &Database) -> bool {
    let waits = "SELECT pid::text AS line FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    !lines(&mut database.admin(), waits).is_empty()
}
