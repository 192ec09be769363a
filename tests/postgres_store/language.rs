//! Nothing is decided by a server's words: this one speaks German, and the role may not ask for English.

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use signwave::{
    domain::{CommitVerdict, Reach},
    store::{self, StoreError},
};
use support::{
    postgres::{Cluster, PASSWORD, USER, database_of},
    store::{MINUTE, add_keys, add_records, lease, open_all, register, sign},
};

use crate::{migrate, open, parse, run};

fn refusal(url: &str) -> StoreError {
    store::open(&parse(url)).err().unwrap_or_else(|| panic!("{url} was opened"))
}

#[test]
fn a_server_that_is_full_or_stops_is_waited_for_and_a_wrong_password_is_not() {
    let cluster = Cluster::in_german("max_connections = 8\nsuperuser_reserved_connections = 3");
    let url = cluster.database("german");
    migrate(&url);

    let error = refusal(&url.replace(PASSWORD, "wrong-password"));
    assert!(matches!(&error, StoreError::Denied(text) if text.contains("Passwort")), "{error}");
    let error = refusal(&url.replace(database_of(&url), "nowhere"));
    assert!(matches!(&error, StoreError::Denied(text) if text.contains("existiert nicht")), "{error}");

    // No connection is free but those kept for superusers, which shows only behind the password.
    let taken: Vec<_> = std::iter::from_fn(|| PgConnection::establish(&url).ok()).collect();
    let error = refusal(&url);
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("reserviert")), "{error}");
    // No connection is free at all.
    let reserved: Vec<_> = (0..3).map(|_| cluster.admin("postgres")).collect();
    let error = refusal(&url);
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("Verbindungen")), "{error}");
    drop((taken, reserved));

    // It has been told to stop, and waits for its sessions to end.
    let last = cluster.admin("postgres");
    cluster.stop_when_idle();
    let begun = Instant::now();
    let error = loop {
        match store::open(&parse(&url)) {
            Err(error) if error.to_string().contains("fährt") => break error,
            _ => assert!(begun.elapsed() < Duration::from_secs(60), "it does not stop"),
        }
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    drop(last);
}

#[test]
fn locks_deadlocks_and_lost_connections_are_what_they_are_in_english() {
    let cluster = Cluster::in_german("");
    let url = cluster.database("german");
    let stranger = || PgConnection::establish(&url).unwrap();
    migrate(&url);
    let store = open(&url);
    let store = store.as_ref();
    let key = add_keys(store, 1)[0];
    add_records(store, 2);
    open_all(store, 1);
    let node = register(store);

    // Connections that the server ended are replaced.
    assert!(cluster.terminate_backends(database_of(&url)) > 0);
    store.renew_node(node, MINUTE, &Reach::default()).unwrap();

    // Of two transactions in a deadlock one is tried again.
    let batch = sign(lease(store, node, 1).remove(0));
    let mut other = stranger();
    run(&mut other, &format!("BEGIN; SELECT FROM signing_key WHERE id = {key} FOR UPDATE"));
    let waits = "SELECT count(*) AS number FROM pg_locks WHERE NOT granted";
    thread::scope(|scope| {
        let commit = scope.spawn(|| store.commit(&[batch]));
        support::waiting::until("the commit waits", MINUTE, || number(&cluster, waits) > 0);
        let _ = other.batch_execute("SELECT FROM batch WHERE id = 1 FOR UPDATE");
        drop(other);
        assert_eq!(commit.join().unwrap().unwrap(), [CommitVerdict::Committed]);
    });

    // A lock that is not given in time.
    let mut holder = stranger();
    run(&mut holder, "BEGIN; LOCK TABLE node IN ACCESS EXCLUSIVE MODE");
    let error = store.renew_node(node, MINUTE, &Reach::default()).unwrap_err();
    let is_named = |who: &str| who.contains(&format!("user '{USER}'")) && who.contains("Zeitüberschreitung");
    assert!(matches!(&error, StoreError::HeldUp(who) if is_named(who)), "{error}");
    run(&mut holder, "ROLLBACK");

    // Our own trigger speaks English everywhere.
    run(&mut cluster.admin(database_of(&url)), "UPDATE signing_key SET state = 'retired'");
    let error = stranger().batch_execute("DELETE FROM record").unwrap_err().to_string();
    assert_eq!(error, "signwave: a record cannot be deleted");
}

fn number(cluster: &Cluster, query: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Number {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        number: i64,
    }
    let mut admin = cluster.admin("postgres");
    diesel::RunQueryDsl::get_result::<Number>(diesel::sql_query(query), &mut admin).unwrap().number
}
