//! The proxy, between diesel and a real server.

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use support::{
    postgres::{Cluster, at_port},
    proxy::{Loss, Mode, Proxy},
    waiting::lasting,
};

use crate::{ask, connect, refusal};

/// A proxy to a new database with an empty table `row`, and its URL directly and through the proxy.
fn proxied() -> (Proxy, String, String) {
    let proxy = Proxy::to(Cluster::shared().port());
    let direct = Cluster::shared().database("proxied");
    connect(&direct).batch_execute("CREATE TABLE row (id bigint); CREATE TABLE other (id bigint)").unwrap();
    let through = at_port(&direct, proxy.port());
    (proxy, direct, through)
}

fn rows(url: &str) -> String {
    ask(&mut connect(url), "SELECT count(*) FROM row").unwrap()
}

fn insert(connection: &mut PgConnection, table: &str) -> diesel::QueryResult<()> {
    connection.transaction(|connection| connection.batch_execute(&format!("INSERT INTO {table} VALUES (1)")))
}

#[test]
fn it_forwards_and_cuts_and_refuses() {
    let (proxy, direct, through) = proxied();
    let mut connection = connect(&through);
    insert(&mut connection, "row").unwrap();
    assert_eq!(rows(&direct), "1");
    assert_eq!(proxy.cut(), 1);
    assert!(insert(&mut connection, "row").is_err());
    insert(&mut connect(&through), "row").unwrap();
    proxy.set(Mode::Refuse);
    assert!(refusal(&through).contains("closed the connection"), "{}", refusal(&through));
    proxy.set(Mode::Forward);
    assert_eq!(rows(&through), "2");
}

#[test]
fn it_delays_each_way() {
    let (proxy, _, through) = proxied();
    let mut connection = connect(&through);
    proxy.set(Mode::Delay(Duration::from_millis(50)));
    let begun = Instant::now();
    ask(&mut connection, "SELECT 1").unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(100), "{:?}", begun.elapsed());
}

#[test]
fn what_was_sent_into_the_black_hole_arrives_when_it_is_over() {
    let (proxy, direct, through) = proxied();
    let mut connection = connect(&through);
    proxy.set(Mode::Hold);
    let inserting = thread::spawn(move || insert(&mut connection, "row"));
    let connecting = thread::spawn(move || rows(&through));
    // Time enough to get through, if there were a way.
    lasting(Duration::from_millis(300));
    assert!(!inserting.is_finished() && !connecting.is_finished());
    assert_eq!(rows(&direct), "0");
    proxy.set(Mode::Forward);
    inserting.join().unwrap().unwrap();
    connecting.join().unwrap();
    assert_eq!(rows(&direct), "1");
}

#[test]
fn a_lost_commit_does_not_happen_and_a_lost_answer_hides_one_that_did() {
    let (proxy, direct, through) = proxied();
    proxy.lose(Loss::Answer, 1, "INTO row");
    insert(&mut connect(&through), "other").unwrap();
    let mut connection = connect(&through);
    let error = insert(&mut connection, "row").unwrap_err();
    println!("what diesel makes of a lost answer: {error:?}");
    assert_eq!((rows(&direct).as_str(), proxy.lost()), ("1", (0, 1)));
    assert!(insert(&mut connection, "row").is_err(), "that connection is gone");

    proxy.lose(Loss::Request, 1, "INTO row");
    insert(&mut connect(&through), "row").unwrap_err();
    assert_eq!((rows(&direct).as_str(), proxy.lost()), ("1", (1, 1)));
    insert(&mut connect(&through), "row").unwrap();
    assert_eq!(rows(&direct), "2");
}
