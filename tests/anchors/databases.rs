//! What is particular about anchors in databases.

use std::slice;

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use signwave::anchors::{self, AnchorError, Anchors, LinePlace, Missing};
use support::{
    postgres::{Cluster, PASSWORD, database_of},
    store::MINUTE,
    waiting::until,
};

use crate::{
    ledger::{Ledger, origin},
    site::{DATABASE, Site, address},
};

fn run(url: &str, sql: &str) -> Result<(), String> {
    let mut connection = PgConnection::establish(url).unwrap();
    connection.batch_execute(sql).map_err(|error| error.to_string())
}

const CHANGES: [&str; 3] = [
    "UPDATE signwave_anchor SET text = 'C 1'",
    "DELETE FROM signwave_anchor WHERE false",
    "TRUNCATE signwave_anchor",
];

#[test]
fn rows_are_never_changed_not_even_by_their_owner() {
    Site::database().open();
    for change in CHANGES {
        let error = run(&DATABASE, change).unwrap_err();
        assert_eq!(error, "signwave: what an anchor says is never changed", "{change}");
    }
}

#[test]
fn a_role_that_may_only_read_and_add_is_enough() {
    let owner = Cluster::shared().database("least");
    let database = database_of(&owner);
    let role = format!("adds_to_{database}");
    run(&owner, "SELECT 1").unwrap();
    let admin = |sql: &str| Cluster::shared().admin(database).batch_execute(sql).unwrap();
    admin(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    ));
    let url = Cluster::shared().url(&role, database);
    let open = |missing| Anchors::open(&[address(&url)], origin(), missing);
    assert!(matches!(open(Missing::Refuse), Err(AnchorError::Missing(_))));
    let error = open(Missing::Create).unwrap_err();
    let AnchorError::NoTable { statements, .. } = error else { panic!("{error}") };
    assert!(error.to_string().contains(statements) && !error.is_transient(), "{error}");
    assert!(!error.to_string().contains(PASSWORD) && !error.to_string().contains('\n'), "{error}");
    run(&owner, statements).unwrap();
    let refused = open(Missing::Create).unwrap_err();
    assert!(matches!(&refused, AnchorError::Unusable { .. }), "{refused}");
    run(&owner, &format!("GRANT SELECT, INSERT ON signwave_anchor TO {role}")).unwrap();
    let mut ledger = Ledger::default();
    for _ in 0..2 {
        let anchors = open(Missing::Create).unwrap();
        ledger.commit(&anchors, 2);
    }
    assert_eq!(anchors::read(&address(&url)).unwrap().count(), 2);
    for change in CHANGES {
        assert!(run(&url, change).unwrap_err().contains("permission denied"), "{change}");
    }
}

#[test]
fn the_statements_for_operators_are_those_of_the_binary() {
    let url = Cluster::shared().database("packaged");
    let database = database_of(&url);
    let role = format!("may_not_create_in_{database}");
    let admin = |sql: &str| Cluster::shared().admin(database).batch_execute(sql).unwrap();
    admin(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    ));
    let address = address(&Cluster::shared().url(&role, database));
    let Err(AnchorError::NoTable { statements, .. }) = Anchors::open(&[address], origin(), Missing::Create)
    else {
        panic!("it may make the table")
    };
    let file = std::fs::read_to_string(support::root().join("packaging/anchors.sql")).unwrap();
    let words = |text: &str| text.split_whitespace().collect::<String>();
    assert!(words(&file).contains(&words(statements)), "{file}");
}

#[test]
fn a_second_writer_that_slipped_in_is_noticed() {
    let site = Site::database();
    let (mut ledger, anchors) = (Ledger::default(), site.open());
    ledger.commit(&anchors, 2);
    until("it is confirmed", MINUTE, || site.text().contains("\nC "));
    site.tamper("INSERT INTO signwave_anchor SELECT '$NAME', 1, 6, 'X 3'");
    let intend = || ledger.permit(&anchors).intend(&ledger.next(1)).map(drop).unwrap_err();
    intend();
    assert_eq!(intend(), AnchorError::InUse(site.address.clone()));
}

#[test]
fn what_was_damaged_is_named_by_its_line() {
    // The header, then three times B, B or E, H, C.
    for (change, read, opened) in [
        ("DELETE FROM signwave_anchor WHERE $ROWS AND line = 11", Some(11), Some(11)),
        ("UPDATE signwave_anchor SET text = '?' WHERE $ROWS AND line = 12", Some(12), Some(12)),
        ("UPDATE signwave_anchor SET text = 'C 5' WHERE $ROWS AND line = 13", Some(12), Some(12)),
        ("DELETE FROM signwave_anchor WHERE $ROWS AND line > 11", Some(11), Some(11)),
        (
            "UPDATE signwave_anchor SET text = repeat('x', 5000000) WHERE $ROWS AND line = 12",
            Some(12),
            Some(12),
        ),
        // Opening does not read so far back.
        ("UPDATE signwave_anchor SET text = '?' WHERE $ROWS AND line = 2", Some(2), None),
        ("DELETE FROM signwave_anchor WHERE $ROWS AND line = 2", Some(2), None),
    ] {
        let (site, mut ledger) = (Site::database(), Ledger::default());
        let anchors = site.open();
        for _ in 0..3 {
            ledger.commit(&anchors, 2);
        }
        drop(anchors);
        site.tamper(change);
        let damaged = |line| AnchorError::Damaged { anchor: site.address.clone(), at: LinePlace::Line(line) };
        let error = anchors::read(&site.address)
            .and_then(|mut reader| reader.try_for_each(|passage| passage.map(drop)));
        assert_eq!(error.err(), read.map(damaged), "{change}");
        assert_eq!(site.try_open(Missing::Create).err(), opened.map(damaged), "{change}");
    }
    let site = Site::database();
    site.open();
    site.tamper("UPDATE signwave_anchor SET text = 'hello' WHERE $ROWS");
    let none = AnchorError::NotAnAnchor(site.address.clone());
    assert_eq!(anchors::read(&site.address).err(), Some(none.clone()));
    assert_eq!(site.try_open(Missing::Create).err(), Some(none));
}

#[test]
fn an_anchor_longer_than_a_page_is_read_to_its_end() {
    let (site, mut ledger) = (Site::database(), Ledger::default());
    let anchors = site.open();
    ledger.commit(&anchors, 350);
    drop(anchors);
    let anchors = site.open();
    assert_eq!(anchors.known(), [ledger.head()]);
    ledger.commit(&anchors, 1);
    drop(anchors);
    let entries = |passage| match passage {
        Ok(anchors::Passage::Attempt(attempt)) => attempt.entries.len(),
        other => panic!("{other:?}"),
    };
    let entries: Vec<_> = anchors::read(&site.address).unwrap().map(entries).collect();
    assert_eq!(entries, [350, 1]);
}

#[test]
fn a_server_that_is_away_may_come_back_and_one_that_refuses_does_not() {
    let port = support::postgres::free_port();
    for (url, is_transient) in [
        (format!("postgres://u:{PASSWORD}@127.0.0.1:{port}/d"), true),
        (Cluster::shared().url("nobody", "postgres"), false),
        (DATABASE.replace(database_of(&DATABASE), "nowhere"), false),
        (format!("{}?sslmode=require", *DATABASE), false),
    ] {
        let address = address(&format!("{url}#name"));
        for error in [
            Anchors::open(slice::from_ref(&address), origin(), Missing::Create).unwrap_err(),
            anchors::read(&address).err().unwrap(),
            anchors::is_there(&address).unwrap_err(),
        ] {
            assert_eq!(error.is_transient(), is_transient, "{error}");
            assert!(!error.to_string().contains(PASSWORD), "{error}");
        }
    }
}
