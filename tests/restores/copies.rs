//! Copies of an SQLite file that are put back where an anchor has seen a later one.

use std::{fs, path::PathBuf, sync::Arc};

use signwave::store::{self, DatabaseUrl, Store};
use support::{
    promises::Promises,
    random::{Random, count},
    store::{MINUTE, open_with},
    waiting::until,
};
use tempfile::TempDir;

use crate::history::{Signing, end_leases, refusal};

/// A history with a copy of the file and of the anchor after each commit.
pub struct Copies {
    folder: TempDir,
    pub signing: Signing,
    /// How many entries the ledger has after each commit.
    pub sizes: Vec<u64>,
}

impl Copies {
    pub fn of(commits: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signwave.db");
        let (url, anchors) = (DatabaseUrl::Sqlite(path), [folder.path().join("anchor")]);
        store::migrate(&url).unwrap();
        let signing = Signing::begin(&*open_with(&url, &anchors).unwrap());
        let mut copies = Self { folder, signing, sizes: Vec::new() };
        copies.keep();
        for _ in 0..commits {
            // Another life each time, which closes the file.
            copies.signing.step(&*open_with(&url, &anchors).unwrap());
            copies.keep();
        }
        copies
    }

    fn keep(&mut self) {
        let number = self.sizes.len();
        self.sizes.push(self.open().ledger().unwrap().head.size);
        self.is_closed();
        fs::copy(self.path("signwave.db"), self.path(&format!("{number}.db"))).unwrap();
        fs::copy(self.path("anchor"), self.path(&format!("{number}.anchor"))).unwrap();
    }

    /// Waits until no connection is left, after which the file holds all that was stored.
    pub fn is_closed(&self) {
        until("the log is gone", MINUTE, || !self.path("signwave.db-wal").exists());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn url(&self) -> DatabaseUrl {
        DatabaseUrl::Sqlite(self.path("signwave.db"))
    }

    pub fn anchors(&self) -> [PathBuf; 1] {
        [self.path("anchor")]
    }

    /// Puts a copy in the place of the database, which no process has open.
    pub fn put(&self, number: usize) {
        self.is_closed();
        fs::copy(self.path(&format!("{number}.db")), self.path("signwave.db")).unwrap();
    }

    /// Puts the anchor that has seen this copy in its place.
    pub fn anchor(&self, number: usize) {
        fs::copy(self.path(&format!("{number}.anchor")), self.path("anchor")).unwrap();
    }

    /// Time goes by, so that no node counts as alive.
    pub fn end_leases_of_nodes(&self) {
        end_leases(&self.path("signwave.db"));
    }

    /// Removes the anchor that was set aside, so that another loss can be accepted.
    pub fn forget_second_life(&self) {
        fs::remove_file(self.path("anchor.1")).unwrap();
    }

    /// The database, without anchors.
    pub fn open(&self) -> Arc<dyn Store> {
        store::open(&self.url()).unwrap()
    }

    /// That the database, which is as after that step, is refused because of the anchor, and that another process, which had
    /// it open, stops signing. Returns why.
    fn is_refused(&self, signing: &Signing, step: usize) -> String {
        let other = self.open();
        let why = refusal(&self.url(), &self.anchors());
        signing.is_refused(step, &*other);
        drop(other);
        assert_eq!(refusal(&self.url(), &[]), why, "no other process begins");
        why
    }

    /// That the copy `number` goes on with the anchor, and keeps every promise.
    fn goes_on(&self, number: usize) {
        let store = open_with(&self.url(), &self.anchors()).unwrap();
        self.signing.go_on_from(number, &*store);
        Promises::verified_by(|_| true).check(&*store);
    }
}

#[test]
fn of_all_copies_only_the_newest_goes_on() {
    let commits = count("TEST_COPIES", 12);
    let (copies, mut refused) = (Copies::of(commits), 0);
    for newest in 1..=commits {
        copies.anchor(newest);
        let anchor = fs::read(copies.path("anchor")).unwrap();
        for older in 0..newest {
            copies.put(older);
            let why = copies.is_refused(&copies.signing, older);
            let [has, had] = [older, newest].map(|number| copies.sizes[number]);
            assert!(
                why.starts_with(&format!(
                    "the database is older than its anchor: it has {has} entries of the ledger, but {had} were committed"
                )),
                "{why}"
            );
            refused += 1;
        }
        assert_eq!(fs::read(copies.path("anchor")).unwrap(), anchor, "an older database changes no anchor");
        copies.put(newest);
        copies.goes_on(newest);
    }
    assert_eq!(refused, commits * (commits + 1) / 2);
    println!("measured: {refused} older copies of {commits} refused, each newest one went on");
}

#[test]
fn without_the_last_confirmation_only_the_copy_before_it_passes() {
    let commits = count("TEST_COPIES", 12);
    let copies = Copies::of(commits);
    for newest in 1..=commits {
        // The machine died between the COMMIT and the sync of its C.
        let anchor = fs::read_to_string(copies.path(&format!("{newest}.anchor"))).unwrap();
        let unconfirmed = anchor.strip_suffix(&format!("C {}\n", copies.sizes[newest])).unwrap();
        for older in 0..newest - 1 {
            fs::write(copies.path("anchor"), unconfirmed).unwrap();
            copies.put(older);
            copies.is_refused(&copies.signing, older);
        }
        for passes in [newest - 1, newest] {
            fs::write(copies.path("anchor"), unconfirmed).unwrap();
            copies.put(passes);
            copies.goes_on(passes);
        }
    }
}

#[test]
fn a_copy_that_went_another_way_is_refused_at_any_size() {
    let commits = count("TEST_COPIES", 12);
    let (copies, mut random) = (Copies::of(commits), Random::new());
    for begin in 0..commits {
        let seen = begin + 1 + random.below((commits - begin) as u64) as usize;
        copies.put(begin);
        let (node, held) = (copies.signing.node, copies.signing.go_on_from(begin, &*copies.open()));
        let mut fork = Signing { node, held: vec![held] };
        for size in copies.sizes[begin] + 1..=copies.sizes[seen] + 2 {
            assert_eq!(copies.open().ledger().unwrap().head.size, size);
            if size >= copies.sizes[seen] {
                copies.is_closed();
                fs::copy(copies.path("signwave.db"), copies.path("fork.db")).unwrap();
                copies.anchor(seen);
                let why = copies.is_refused(&fork, fork.held.len() - 1);
                let differs = format!("they differ at entry {} of the ledger", copies.sizes[seen]);
                assert!(why.contains(&differs), "{why}");
                copies.is_closed();
                fs::copy(copies.path("fork.db"), copies.path("signwave.db")).unwrap();
            }
            fork.step(&*copies.open());
        }
    }
}
