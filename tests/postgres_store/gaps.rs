//! Records that become visible late, one situation at a time. `tests/process` has them all at random.

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use signwave::{
    domain::{BatchId, RecordId},
    store::{RecordName, Wanted},
};
use support::store::{add_keys, lease, open_all, register, sign};

use crate::{Database, run};

const ONE: &str = "INSERT INTO record (payload) VALUES ('late')";

#[test]
fn a_record_that_commits_below_the_frontier_is_batched_once_its_writer_has_ended() {
    let database = Database::new("late");
    let (store, mut early, mut late) = (&*database.store, database.stranger(), database.stranger());
    run(&mut late, &format!("BEGIN; {ONE}"));
    run(&mut early, ONE);
    assert_eq!(open_all(store, 10), 1);
    assert_eq!(open_all(store, 10), 0, "its writer is still at work");
    assert_eq!(store.status().unwrap().unbatched, 0);
    run(&mut late, "COMMIT");
    assert_eq!(store.status().unwrap().unbatched, 1, "it waits");
    assert_eq!(store.counts().unwrap().unbatched, 1);
    let oldest = || store.oldest_unsigned().unwrap().map(|oldest| oldest.record.0);
    assert_eq!(oldest(), Some(1), "in no batch, below the frontier");
    assert_eq!(open_all(store, 10), 1);
    assert_eq!(database.runs(), ["2", "1"]);
    assert_eq!(open_all(store, 10), 0);
    assert_eq!(oldest(), Some(1), "in the second batch");

    // Late batches are signed like all others.
    add_keys(store, 2);
    let node = register(store);
    let batches: Vec<_> = lease(store, node, 9).into_iter().map(sign).collect();
    store.commit(&batches).unwrap();
    assert_eq!(store.status().unwrap().signed, 2);
}

#[test]
fn a_gap_waits_for_the_writers_of_its_time_and_for_nobody_else() {
    let database = Database::new("writers");
    let (store, mut early, mut late) = (&*database.store, database.stranger(), database.stranger());
    let (mut reader, mut next) = (database.stranger(), database.stranger());
    run(&mut reader, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM record");
    run(&mut late, &format!("BEGIN; {ONE}"));
    run(&mut early, ONE);
    assert_eq!(open_all(store, 10), 1);
    // Neither one who only reads, nor one who begins to write after the gap was noted.
    run(&mut next, &format!("BEGIN; {ONE}"));
    run(&mut late, "COMMIT");
    assert_eq!(open_all(store, 10), 1);
    assert_eq!(database.runs(), ["2", "1"]);
    run(&mut next, "COMMIT");
    assert_eq!(open_all(store, 10), 1);
    assert_eq!(database.runs()[2], "3");
}

#[test]
fn ids_that_were_rolled_back_are_looked_for_once_and_forgotten() {
    let database = Database::new("rolled_back");
    let (store, mut early, mut late) = (&*database.store, database.stranger(), database.stranger());
    run(&mut late, &format!("BEGIN; {ONE}; SAVEPOINT s; {ONE}; ROLLBACK TO s"));
    run(&mut early, ONE);
    assert_eq!(open_all(store, 10), 1);
    run(&mut late, "ROLLBACK");
    assert_eq!(open_all(store, 10), 0);
    assert_eq!(database.runs(), ["3"]);
    assert_eq!(gaps(&database), Vec::<String>::new());
}

#[test]
fn a_savepoint_keeps_its_gap_waiting_for_the_whole_transaction() {
    let database = Database::new("savepoint");
    let (store, mut early, mut late) = (&*database.store, database.stranger(), database.stranger());
    run(&mut late, &format!("BEGIN; SAVEPOINT a; {ONE}; RELEASE a; SAVEPOINT b; {ONE}"));
    run(&mut early, ONE);
    assert_eq!(open_all(store, 10), 1);
    run(&mut late, "ROLLBACK TO b");
    assert_eq!(open_all(store, 10), 0);
    run(&mut late, "COMMIT");
    assert_eq!(open_all(store, 10), 1);
    assert_eq!(database.runs(), ["3", "1"]);
}

#[test]
fn a_gap_can_hold_more_than_is_read_at_a_time() {
    let database = Database::new("large_gap");
    let (store, mut early, mut late) = (&*database.store, database.stranger(), database.stranger());
    run(&mut late, "BEGIN; INSERT INTO record (payload) SELECT 'late' FROM generate_series(1, 20000)");
    run(&mut early, ONE);
    assert_eq!(open_all(store, 1000), 1);
    run(&mut late, "COMMIT");
    let formed: usize = (0..30).map(|_| support::store::open(store, 1000, usize::MAX, true).opened).sum();
    assert_eq!(formed, 20);
    assert_eq!(store.status().unwrap().open, 20_001);
    assert_eq!(gaps(&database), Vec::<String>::new());
}

#[test]
fn a_transaction_that_has_inserted_records_cannot_be_prepared() {
    let cluster = support::postgres::Cluster::start_with("max_prepared_transactions = 5");
    let url = cluster.database("prepared");
    crate::migrate(&url);
    let mut writer = PgConnection::establish(&url).unwrap();
    run(&mut writer, &format!("BEGIN; {ONE}"));
    let error = writer.batch_execute("PREPARE TRANSACTION 'p'").unwrap_err().to_string();
    assert!(error.contains("NOTIFY"), "{error}");
}

fn gaps(database: &Database) -> Vec<String> {
    crate::lines(&mut database.stranger(), "SELECT first_record || '-' || last_record AS line FROM gap")
}

#[test]
fn a_record_is_found_in_its_own_batch_although_the_ranges_of_batches_overlap() {
    let database = Database::new("overlap");
    let (store, mut early, mut late) = (&*database.store, database.stranger(), database.stranger());
    run(&mut early, ONE);
    run(&mut late, &format!("BEGIN; {ONE}"));
    run(&mut early, ONE);
    assert_eq!(open_all(store, 10), 1);
    run(&mut late, "COMMIT");
    run(&mut early, ONE);
    assert_eq!(open_all(store, 10), 1);
    assert_eq!(database.runs(), ["1,3", "2,4"]);
    let wanted = Wanted { payload: false, unsigned_batch: true };
    let batch = |id| store.record(RecordName::Id(RecordId(id)), wanted).unwrap().unwrap().batch.unwrap().id;
    assert_eq!([1, 2, 3, 4].map(batch), [1, 2, 1, 2].map(BatchId));
}
