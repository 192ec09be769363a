//! Hearing of news.

use std::time::{Duration, Instant};
use support::{
    postgres::{Cluster, database_of},
    store::{add_records, open_all},
};

use crate::{Database, run};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn records_that_are_committed_and_batches_that_open_are_news_and_nothing_else_is() {
    let database = Database::new("news");
    let (store, mut stranger) = (&*database.store, database.stranger());
    let mut listener = store.listener().unwrap().unwrap();
    let mut hears = |timeout| listener.wait(timeout).unwrap();
    assert!(!hears(Duration::from_millis(50)));
    let begun = Instant::now();
    run(&mut stranger, "INSERT INTO record (payload) SELECT 'x' FROM generate_series(1, 1000)");
    assert!(hears(LONG) && begun.elapsed() < LONG / 2);
    assert!(!hears(Duration::from_millis(50)), "a statement is one piece of news");
    run(&mut stranger, "BEGIN; INSERT INTO record (payload) VALUES ('x')");
    assert!(!hears(Duration::from_millis(50)), "not before it is committed");
    run(&mut stranger, "COMMIT");
    assert!(hears(LONG));
    open_all(store, 1000);
    assert!(hears(LONG), "of batches that open");
    store.status().unwrap();
    assert!(!hears(Duration::from_millis(50)));
}

/// Transactions that notify commit one after the other, so of those that run at the same time only one may.
#[test]
fn of_transactions_at_the_same_time_one_brings_the_news_of_all() {
    let database = Database::new("one_voice");
    let (mut first, mut second) = (database.stranger(), database.stranger());
    let mut listener = database.store.listener().unwrap().unwrap();
    let mut hears = |timeout| listener.wait(timeout).unwrap();
    run(&mut first, "BEGIN; INSERT INTO record (payload) VALUES ('first')");
    run(&mut second, "INSERT INTO record (payload) VALUES ('second')");
    assert!(!hears(Duration::from_millis(50)), "the first will notify");
    run(&mut first, "COMMIT");
    assert!(hears(LONG));
    run(&mut second, "INSERT INTO record (payload) VALUES ('third')");
    assert!(hears(LONG), "and after that, every one again");
}

#[test]
fn a_listener_whose_connection_was_lost_says_so_and_listens_again() {
    let database = Database::new("lost");
    let mut listener = database.store.listener().unwrap().unwrap();
    Cluster::shared().terminate_backends(database_of(&database.url));
    assert!(listener.wait(LONG).is_err());
    assert!(listener.wait(LONG).unwrap(), "whatever was said meanwhile was not heard");
    assert!(!listener.wait(Duration::from_millis(50)).unwrap());
    add_records(&*database.store, 1);
    assert!(listener.wait(LONG).unwrap());
}
