//! The turns of the nodes are locks that only a service can take.

use diesel::connection::SimpleConnection;
use signwave::{
    domain::{KeyId, KeyState},
    store::StoreError,
};
use support::{
    postgres::Cluster,
    store::{add_keys, add_records, by, lease, open_all, register},
};

use crate::{Database, run};

#[test]
fn a_role_that_may_only_read_cannot_hold_up_the_nodes() {
    let database = Database::new("turns");
    let store = &*database.store;
    add_keys(store, 1);
    add_records(store, 1);
    let (_, url) =
        database.role("GRANT SELECT ON ALL TABLES IN SCHEMA public TO ROLE; GRANT INSERT ON record TO ROLE");
    let mut reader = <diesel::PgConnection as diesel::Connection>::establish(&url).unwrap();
    // What the turns were once, and all of its kind.
    run(
        &mut reader,
        "SELECT pg_advisory_lock(1936287598, n) FROM generate_series(1, 3) AS n; BEGIN; \
         SELECT FROM record, batch, signature, node, signing_key, gap, opening_turn, leasing_turn, \
             auditing_turn; \
         LOCK TABLE record, batch, signing_key, node, gap, signature, opening_turn, leasing_turn, \
             auditing_turn IN ACCESS SHARE MODE",
    );
    assert_eq!(open_all(store, 1), 1);
    assert_eq!(lease(store, register(store), 1).len(), 1);
    store.set_key_state(KeyId(1), KeyState::Disabled, None, &by()).unwrap();
    run(&mut reader, "ROLLBACK");
    for table in ["opening_turn", "leasing_turn", "auditing_turn", "sequencing_turn"] {
        for mode in ["ROW SHARE", "ROW EXCLUSIVE", "SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE"] {
            let lock = format!("BEGIN; LOCK TABLE {table} IN {mode} MODE; ROLLBACK");
            // Two of these modes hinder nobody, and some versions give them to readers.
            let is_refused = reader.batch_execute(&lock).is_err();
            reader.batch_execute("ROLLBACK").unwrap();
            assert!(is_refused || mode == "ROW SHARE", "{lock}");
        }
    }
}

#[test]
fn whoever_holds_a_turn_is_named() {
    let database = Database::new("holder_of_a_turn");
    let store = &*database.store;
    add_records(store, 1);
    let mut holder = database.stranger();
    run(
        &mut holder,
        "SET application_name = 'somebody'; BEGIN; LOCK TABLE opening_turn IN SHARE ROW EXCLUSIVE MODE",
    );
    let error = store
        .open_batches(signwave::store::OpenBatches { batch_size: 1, keep_open: 1, partial: true })
        .unwrap_err();
    assert!(error.is_outage() && matches!(error, StoreError::HeldUp(_)), "{error}");
    let text = error.to_string();
    let who = format!("of user '{}' (somebody) holds opening_turn", support::postgres::USER);
    assert!(text.contains(&who) && text.contains("gave up after 5 s"), "{text}");
}

#[test]
fn the_lock_of_migrations_has_an_end_and_a_holder() {
    let url = Cluster::shared().database("migrating");
    let mut holder = <diesel::PgConnection as diesel::Connection>::establish(&url).unwrap();
    run(&mut holder, "SELECT pg_advisory_lock(1936287598, 3)");
    let error = signwave::store::migrate(&crate::parse(&url)).unwrap_err();
    assert!(error.to_string().contains("holds the migrations"), "{error}");
    drop(holder);
    crate::migrate(&url);
}
