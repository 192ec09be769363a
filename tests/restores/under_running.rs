//! A copy that SQLite writes into the very file that others have open: no name and no file changes, only what is in it.

use std::{path::Path, process::Command};

use rustix::process::Signal;
use signwave::{
    domain::Reach,
    store::{self, DatabaseUrl, RenewVerdict},
};
use support::{
    place::Place,
    process::Running,
    promises::Promises,
    store::{MINUTE, open_with},
    waiting::until,
};

use crate::history::{Signing, behind, store_leased};

/// Runs a command of the program `sqlite3` on a database.
fn sqlite3(database: &Path, command: &str, copy: &Path) {
    let command = format!("{command} '{}'", copy.display());
    let mut sqlite3 = Command::new("sqlite3");
    let output = sqlite3.args(["-cmd", ".timeout 20000"]).arg(database).arg(command).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// Restores copies under a store that has these anchors.
fn restores_under(anchors: &[&str]) {
    const LAST: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let database = path("signwave.db");
    let restore = |number: usize| sqlite3(&database, ".restore", &path(&format!("{number}.db")));
    let url = DatabaseUrl::Sqlite(database.clone());
    store::migrate(&url).unwrap();
    let anchors: Vec<_> = anchors.iter().map(|name| path(name)).collect();
    let store = open_with(&url, &anchors).unwrap();
    let mut signing = Signing::begin(&*store);
    for step in 0..=LAST {
        if step > 0 {
            signing.step(&*store);
        }
        sqlite3(&database, ".backup", &path(&format!("{step}.db")));
    }
    let renew = || store.renew_node(signing.node, MINUTE, &Reach::default());
    for older in 0..LAST {
        restore(older);
        // The first thing that is done in it is to store what was signed.
        let why = behind(store_leased(&*store, &signing.held[older]));
        assert!(why.contains("the database is older than its anchor"), "{why}");
        signing.is_refused(older, &*store);
        restore(older);
        // Or to renew the lease.
        assert_eq!(behind(renew()), why);
        signing.is_refused(older, &*store);
        restore(LAST);
        assert_eq!(renew(), Ok(RenewVerdict::Renewed));
    }
    signing.go_on_from(LAST, &*store);
    Promises::verified_by(|_| true).check(&*store);
}

#[test]
fn a_store_with_anchors_stores_nothing_in_a_copy_that_was_restored_under_it() {
    restores_under(&["first", "second"]);
}

#[test]
fn a_store_without_anchors_remembers_what_it_saw() {
    restores_under(&[]);
}

#[test]
fn a_service_waits_until_the_newer_database_is_back() {
    let place = Place::sqlite();
    let path = |name: &str| place.sandbox.path(name);
    let signed = || place.number("SELECT count(*) FROM signature");
    place.ok(&["seed", "--records", "10"]);
    let serve = ["serve", "--batch-size", "5", "--lease-ttl", "1s", "--anchor", "anchor"];
    let mut service = Running::start(place.command(&serve), place.log());
    until("all is signed", MINUTE, || signed() == 10);
    sqlite3(&path("signwave.db"), ".backup", &path("old.db"));
    place.ok(&["seed", "--records", "20"]);
    until("all is signed", MINUTE, || signed() == 20);
    sqlite3(&path("signwave.db"), ".backup", &path("new.db"));

    sqlite3(&path("signwave.db"), ".restore", &path("old.db"));
    until("it says why it waits", MINUTE, || service.log().contains("the database is older than its anchor"));
    assert!(place.ok(&["status"]).contains("halted: the database is older than its anchor"));
    // It takes no records either, because they would get ids that were used.
    let error = place.sandbox.fails(3, &["seed", "--records", "3"]);
    assert!(error.contains("the database is older than its anchor"), "{error}");
    until("it has tried more than once", MINUTE, || service.log().matches("cannot").count() > 2);
    assert_eq!((signed(), place.number("SELECT count(*) FROM batch WHERE state <> 'signed'")), (10, 0));

    sqlite3(&path("signwave.db"), ".restore", &path("new.db"));
    place.ok(&["seed", "--records", "23"]);
    until("it goes on", MINUTE, || signed() == 23);
    assert!(service.is_running());
    service.signal(Signal::TERM);
    assert_eq!(service.wait(MINUTE), Some(0), "{}", service.log());
    assert!(place.ok(&["verify", "--anchor", "anchor"]).contains("problems    none"));
}
