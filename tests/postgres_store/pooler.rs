//! Behind a pooler: what it must not do, and how long its connections are waited for.

use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection};
use signwave::store;
use support::{
    postgres::{Cluster, USER, database_of},
    process::command,
};

use crate::{Database, parse, run};

#[test]
fn a_pool_in_session_mode_is_as_good_as_the_server() {
    let database = Database::new("session");
    let bouncer = Cluster::shared().bouncer_by("session", 8);
    let url = bouncer.url(USER, database_of(&database.url));
    run(
        &mut database.admin(),
        &format!("ALTER DATABASE {} SET statement_timeout = '20ms'", database_of(&database.url)),
    );
    let store = store::open(&parse(&url)).unwrap();
    support::store::add_records(&*store, 2);
    assert_eq!(store.status().unwrap().unbatched, 2);
}

#[test]
fn a_pooler_without_a_free_connection_is_waited_for_some_seconds_and_named() {
    let database = Database::new("full");
    let bouncer = Cluster::shared().bouncer_by("session", 1);
    let url = bouncer.url(USER, database_of(&database.url));
    let mut client = PgConnection::establish(&url).unwrap();
    run(&mut client, "SELECT 1");
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let outputs = std::thread::scope(|scope| {
        let run = |what: &'static str| {
            let mut command = command(&["--database", &url, what], folder.path());
            scope.spawn(move || command.output().unwrap())
        };
        ["status", "verify", "export"].map(run).map(|output| output.join().unwrap())
    });
    // The pooler itself would let them wait for two minutes.
    assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", begun.elapsed());
    for output in outputs {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("a pooler in front of it, has no connection free"), "{said}");
    }
    drop(client);
}
