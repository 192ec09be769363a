//! The feed: its guards, a sequencer that dies, readers without the right to number, and committers that are late.

mod late;

use std::time::Duration;

use diesel::{PgConnection, connection::SimpleConnection};
use signwave::{
    domain::{BatchId, Place},
    store::{self, Store},
};
use support::{
    promises::Promises,
    store::{add_keys, add_records, lease, open_all, register, sign},
    waiting::until,
};

use crate::{Database, lines, parse, run};

/// Stores as many batches of one record.
fn commit(store: &dyn Store, batches: u8) {
    add_keys(store, batches);
    add_records(store, usize::from(batches));
    open_all(store, 1);
    let signed: Vec<_> = lease(store, register(store), usize::from(batches)).into_iter().map(sign).collect();
    store.commit(&signed).unwrap();
}

fn places(store: &dyn Store) -> Vec<(i64, i64)> {
    store.feed(Place(0), usize::MAX).unwrap().iter().map(|row| (row.place.0, row.batch.id.0)).collect()
}

/// What a sequencer does, up to its COMMIT.
const NUMBER: &str = "BEGIN; LOCK TABLE sequencing_turn IN SHARE ROW EXCLUSIVE MODE; \
     WITH taken AS (DELETE FROM unsequenced RETURNING batch_id) \
     INSERT INTO feed SELECT row_number() OVER (ORDER BY batch_id DESC), batch_id FROM taken";

#[test]
fn positions_are_guarded_against_every_statement() {
    let database = Database::new("feed_guards");
    commit(&*database.store, 2);
    add_records(&*database.store, 1);
    open_all(&*database.store, 1);
    assert_eq!(database.store.sequence().unwrap().last, Place(2));
    let mut stranger = database.admin();
    run(&mut stranger, "SET session_replication_role = replica");
    for (sql, reason) in [
        ("UPDATE feed SET position = 9 WHERE position = 2", "a position of the feed cannot be changed"),
        ("UPDATE feed SET batch_id = 9 WHERE position = 2", "a position of the feed cannot be changed"),
        ("DELETE FROM feed", "a position of the feed cannot be deleted"),
        ("TRUNCATE feed", "a position of the feed cannot be deleted"),
        ("INSERT INTO feed VALUES (4, 3)", "positions of the feed are numbered without gaps"),
        ("INSERT INTO feed VALUES (3, 3)", "only a signed batch has a position in the feed"),
        ("INSERT INTO feed VALUES (3, 99)", "only a signed batch has a position in the feed"),
        ("INSERT INTO feed VALUES (3, 1)", "duplicate key"),
        ("INSERT INTO feed VALUES (1, 3)", "duplicate key"),
        ("INSERT INTO feed_identity VALUES ('0123456789ab')", "duplicate key"),
        ("UPDATE feed_identity SET id = 'x'", "violates check constraint"),
        ("DELETE FROM feed_identity", "the id of the feed cannot be deleted"),
        ("TRUNCATE feed_identity", "the id of the feed cannot be deleted"),
    ] {
        let error = stranger.batch_execute(sql).expect_err(sql).to_string();
        assert!(error.contains(reason), "{sql}: {error}");
    }
    assert_eq!(places(&*database.store), [(1, 1), (2, 2)]);
    Promises::default().check(&*database.store);
}

#[test]
fn a_sequencer_that_dies_before_its_commit_has_shown_nothing() {
    let database = Database::new("feed_death");
    let store = &*database.store;
    commit(store, 3);
    let mut dying = database.stranger();
    run(&mut dying, NUMBER);
    assert_eq!(places(store), [], "nothing is shown before it is durable");
    // Dropping the connection ends the transaction as the death of the process does.
    drop(dying);
    assert_eq!(store.sequence().unwrap().last, Place(3));
    assert_eq!(places(store), [(1, 1), (2, 2), (3, 3)], "they are numbered anew, in the order of their ids");
}

#[test]
fn a_sequencer_that_sleeps_in_its_transaction_holds_up_readers_for_three_seconds_at_most() {
    let database = Database::new("feed_sleep");
    let store = &*database.store;
    commit(store, 2);
    let mut sleeping = database.stranger();
    run(&mut sleeping, &format!("SET idle_in_transaction_session_timeout = '3s'; {NUMBER}"));
    assert_eq!(store.sequence().unwrap().last, Place(2));
    assert_eq!(places(store), [(1, 1), (2, 2)]);
    assert!(sleeping.batch_execute("COMMIT").is_err(), "the server has ended it");
}

#[test]
fn many_sequencers_at_once_number_each_batch_once() {
    let database = Database::new("feed_race");
    commit(&*database.store, 40);
    let ends: Vec<_> = std::thread::scope(|scope| {
        let sequencers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| crate::open(&database.url).sequence())).collect();
        sequencers.into_iter().map(|sequencer| sequencer.join().unwrap().unwrap().last).collect()
    });
    assert_eq!(ends, [Place(40); 8]);
    assert!(places(&*database.store).into_iter().eq((1..=40).map(|n| (n, n))));
}

#[test]
fn a_role_that_may_only_read_reads_what_the_nodes_have_numbered() {
    let database = Database::new("feed_reader");
    let store = &*database.store;
    commit(store, 1);
    assert_eq!(store.sequence().unwrap().last, Place(1));
    let (_, url) = database.role("GRANT SELECT ON ALL TABLES IN SCHEMA public TO ROLE");
    let reader = store::open_to_read(&parse(&url)).unwrap();
    assert_eq!(reader.sequence().unwrap(), store.sequence().unwrap());
    add_records(store, 1);
    open_all(store, 1);
    store.commit(&lease(store, register(store), 1).into_iter().map(sign).collect::<Vec<_>>()).unwrap();
    assert_eq!((reader.sequence().unwrap().last, places(&*reader)), (Place(1), vec![(1, 1)]));
    assert_eq!(reader.unsequenced().unwrap(), [BatchId(2)]);
    // A role that may write numbers also over a connection that is meant for reading.
    let owner = store::open_to_read(&parse(&database.url)).unwrap();
    assert_eq!(owner.sequence().unwrap().last, Place(2));
    assert_eq!(places(&*reader), [(1, 1), (2, 2)]);
}

#[test]
fn followers_are_told_the_last_position_when_it_is_durable() {
    let database = Database::new("feed_news");
    let store = &*database.store;
    let mut listener = store.feed_listener().unwrap().unwrap();
    commit(store, 1);
    assert!(!listener.wait(Duration::from_millis(50)).unwrap(), "a commit without a position is no news");
    store.sequence().unwrap();
    until("the news arrives", Duration::from_secs(5), || listener.wait(Duration::from_millis(100)).unwrap());
    store.sequence().unwrap();
    assert!(!listener.wait(Duration::from_millis(50)).unwrap(), "nothing was numbered");
}

#[test]
fn the_signed_record_view_shows_positions_by_which_plain_sql_can_go_on() {
    let database = Database::new("feed_view");
    commit(&*database.store, 2);
    let mut reader: PgConnection = database.stranger();
    let query = "SELECT record_id || ' ' || coalesce(position::text, 'none') AS line FROM signed_record ORDER BY record_id";
    assert_eq!(lines(&mut reader, query), ["1 none", "2 none"]);
    database.store.sequence().unwrap();
    assert_eq!(lines(&mut reader, query), ["1 1", "2 2"]);
}
