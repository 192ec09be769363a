//! Databases that go back in time beside an anchor in another database: the commands, from one end to the other.

use std::{process::Output, slice};

use rustix::process::Signal;
use signwave::{
    anchors::{self, AnchorAddress, Attempt, Outcome, Passage},
    store::{self, DatabaseUrl},
};
use support::{
    place::Place,
    postgres::{Cluster, PASSWORD, at_port, patient},
    process::Running,
    proxy::{Mode, Proxy},
    sandbox::{failed, succeeded},
    store::MINUTE,
    waiting::until,
};

use crate::history::Signing;

/// A place for records that can be copied and put back.
struct Copied<'a> {
    place: Place<'a>,
    keep: fn(&Place<'a>, &str),
    put: fn(&Place<'a>, &str),
    anchor: String,
}

impl Copied<'_> {
    fn run(&self, arguments: &[&str]) -> Output {
        let output = self.place.command(arguments).output().unwrap();
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        assert!(!String::from_utf8_lossy(&said).contains(PASSWORD), "{arguments:?} says the password");
        output
    }

    fn ok(&self, arguments: &[&str]) -> String {
        succeeded(&self.run(arguments))
    }

    /// With the anchor behind the arguments.
    fn anchored(&self, arguments: &[&str]) -> Output {
        self.run(&[arguments, &["--anchor", &self.anchor]].concat())
    }

    fn sign(&self) -> Output {
        self.anchored(&["sign", "--batch-size", "5"])
    }

    fn seed_and_sign(&self, records: &str) {
        self.ok(&["seed", "--records", records]);
        succeeded(&self.sign());
    }

    fn is_refused(&self, anchor: &str) {
        let verified = self.anchored(&["verify"]);
        let text = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert_eq!(verified.status.code(), Some(1), "{text}");
        let older = format!("it has 4 entries, but the anchor '{anchor}' knows of 6: the database is older");
        assert!(text.contains(&older), "{text}");
        let error = failed(3, &self.sign());
        assert!(error.contains("the database is older than its anchor: it has 4 entries"), "{error}");
    }

    fn is_what_the_anchor_says(&self) {
        let verified = succeeded(&self.anchored(&["verify"]));
        assert!(verified.contains("problems    none"), "{verified}");
    }
}

/// An older copy is refused, healed, refused again, and accepted at last.
fn goes_back(copied: &Copied<'_>) {
    let Copied { place, keep, put, anchor } = copied;
    let (_, rest) = anchor.split_once('@').unwrap();
    let shown = format!("postgres://{}#node-1", rest.split_once('?').unwrap().0);
    copied.seed_and_sign("10");
    keep(place, "old");
    copied.seed_and_sign("20");
    copied.is_what_the_anchor_says();
    copied.ok(&["export", "--as", "bundle", "--with-payload", "-o", "bundles.jsonl"]);

    put(place, "old");
    copied.is_refused(&shown);
    succeeded(&copied.anchored(&["ledger", "heal", "bundles.jsonl", "--yes"]));
    copied.is_what_the_anchor_says();
    assert!(succeeded(&copied.sign()).starts_with("signed 0 records"));

    put(place, "old");
    copied.is_refused(&shown);
    let accepted = copied.anchored(&["ledger", "accept", "--reason", "the disk died", "--yes"]);
    let said = String::from_utf8_lossy(&accepted.stderr).into_owned();
    assert!(accepted.status.success(), "{said}");
    assert!(
        said.contains(&format!("the anchor '{shown}' is begun anew; the one before is '{shown}.1'")),
        "{said}"
    );
    copied.seed_and_sign("12");
    copied.is_what_the_anchor_says();
    let aside = format!("{anchor}.1");
    let both = copied.ok(&["verify", "--anchor", anchor, "--anchor", &aside]);
    assert!(both.contains("problems    none"), "{both}");
    assert_eq!(copied.run(&["verify", "--anchor", &aside]).status.code(), Some(1));
    let error = failed(1, &copied.run(&["sign", "--anchor", &aside]));
    assert!(error.contains("was set aside"), "{error}");

    // What went on after the restore is in the new anchor.
    put(place, "old");
    let error = failed(3, &copied.sign());
    assert!(error.contains("belongs to the ledger"), "{error}");
}

fn anchor() -> String {
    format!("{}#node-1", patient(&Cluster::shared().database("anchors")))
}

#[test]
fn an_older_file_is_noticed_by_an_anchor_in_a_database() {
    let place = Place::sqlite();
    place.sandbox.keep("old");
    goes_back(&Copied {
        place,
        keep: |place, name| {
            std::fs::remove_file(place.sandbox.path(name)).unwrap();
            place.sandbox.keep(name);
        },
        put: |place, name| place.sandbox.put(name),
        anchor: anchor(),
    });
}

#[test]
fn an_older_database_is_noticed_by_an_anchor_in_another_one() {
    goes_back(&Copied {
        place: Place::postgres("anchored"),
        keep: |place, name| Cluster::shared().copy(place.database(), &format!("{}_{name}", place.database())),
        put: |place, name| Cluster::shared().copy(&format!("{}_{name}", place.database()), place.database()),
        anchor: anchor(),
    });
}

#[test]
fn an_anchor_in_the_database_with_the_records_is_refused() {
    let place = Place::postgres("within");
    place.ok(&["seed", "--records", "10"]);
    let within = Cluster::shared().url(support::postgres::USER, place.database());
    for anchor in
        [format!("{within}#one"), format!("{}#one", Cluster::shared().url("postgres", place.database()))]
    {
        let error = failed(1, &place.command(&["sign", "--anchor", &anchor]).output().unwrap());
        assert!(error.contains("is in the database that holds the records"), "{error}");
    }
    assert_eq!(place.number("SELECT count(*) FROM pg_class WHERE relname = 'signwave_anchor'"), 0);
    assert_eq!(place.number("SELECT count(*) FROM signature"), 0);
}

/// What an anchor has to say of a commit waits a moment for the next one, and there may be none.
#[test]
fn a_node_that_is_removed_has_said_all_to_its_anchor() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("signwave.db").display());
    for url in [file, patient(&Cluster::shared().database("removed"))] {
        let (url, anchor) =
            (DatabaseUrl::parse(&url).unwrap(), AnchorAddress::parse(anchor().as_ref()).unwrap());
        store::migrate(&url).unwrap();
        let store = store::open_with(&url, store::CONNECTIONS, slice::from_ref(&anchor)).unwrap();
        let signing = Signing::begin(&*store);
        signing.go_on_from(0, &*store);
        store.remove_node(signing.node).unwrap();
        let last = anchors::read(&anchor).unwrap().last().unwrap().unwrap();
        assert!(matches!(last, Passage::Attempt(Attempt { outcome: Outcome::Committed, .. })), "{last:?}");
    }
}

#[test]
fn an_address_that_is_refused_is_not_shown() {
    let place = Place::sqlite();
    let wrong = "postgres://u:secret@h/d#a name";
    let commands: [&[&str]; 4] = [&["sign"], &["serve"], &["verify"], &["ledger", "heal"]];
    for command in commands {
        let output = place.command(&[command, &["--anchor", wrong]].concat()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("behind the '#' must be a name") && !error.contains("secret"), "{error}");
    }
    place.sandbox.write("signwave.toml", format!("[signing]\nanchor = ['{wrong}']\n"));
    let error = failed(2, &place.command(&["sign"]).output().unwrap());
    assert!(error.contains("signwave.toml:2") && !error.contains("secret"), "{error}");
}

#[test]
fn a_service_waits_while_the_database_of_its_anchor_is_away() {
    let place = Place::sqlite();
    let proxy = Proxy::to(Cluster::shared().port());
    let anchor = at_port(&anchor(), proxy.port());
    let serve = ["serve", "--batch-size", "5", "--lease-ttl", "1s", "--anchor", &anchor];
    let signed = || place.number("SELECT count(*) FROM signature");
    proxy.set(Mode::Refuse);
    place.ok(&["seed", "--records", "10"]);
    let mut service = Running::start(place.command(&serve), place.log());
    let waits = |service: &mut Running, times: usize| {
        until("it says why it waits", MINUTE, || {
            assert!(service.is_running(), "{}", service.log());
            service.log().matches("cannot").count() > times
                && service.log().contains("the anchor 'postgres://127")
        });
        assert!(!service.log().contains(PASSWORD));
    };
    waits(&mut service, 0);
    proxy.set(Mode::Forward);
    until("all is signed", MINUTE, || signed() == 10);

    proxy.set(Mode::Refuse);
    proxy.cut();
    place.ok(&["seed", "--records", "20"]);
    let before = service.log().matches("cannot").count();
    waits(&mut service, before + 1);
    assert_eq!(signed(), 10);
    proxy.set(Mode::Forward);
    until("it goes on", MINUTE, || signed() == 20);
    service.signal(Signal::TERM);
    assert_eq!(service.wait(MINUTE), Some(0), "{}", service.log());
    assert!(place.ok(&["verify", "--anchor", &anchor]).contains("problems    none"));
}
