//! Copies of a PostgreSQL server that are put back where an anchor has seen a later one, also under stores at work.

use std::fs;

use signwave::store::{self, DatabaseUrl};
use support::{
    postgres::{Cluster, patient},
    promises::Promises,
    store::open_with,
};

use crate::history::{Signing, behind, refusal, store_leased};

/// Which of those who know the newer server is the first to meet the older one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum First {
    /// A process that starts, with an anchor.
    Opens,
    /// A store at work, with an anchor.
    Stores,
    /// A store at work that has no anchor.
    Remembers,
}

#[test]
fn a_server_that_was_put_back_is_refused_also_by_stores_at_work() {
    const LAST: usize = 3;
    let cluster = Cluster::start_with("fsync = off\nmax_wal_size = '64MB'");
    let url = DatabaseUrl::parse(&patient(&cluster.database("put_back"))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let copy = |step: usize| format!("copy-{step}");
    store::migrate(&url).unwrap();
    let anchor = [path("anchor")];
    let store = open_with(&url, &anchor).unwrap();
    let mut signing = Signing::begin(&*store);
    for step in 0..=LAST {
        if step > 0 {
            signing.step(&*store);
        }
        cluster.keep(&copy(step));
    }
    drop(store);
    fs::copy(path("anchor"), path("anchor of the last")).unwrap();

    for (older, first) in [(0, First::Opens), (LAST - 1, First::Stores), (LAST - 1, First::Remembers)] {
        let (store, other) = (open_with(&url, &anchor).unwrap(), open_with(&url, &[]).unwrap());
        cluster.put_back(&copy(older));
        let why = match first {
            First::Opens => {
                fs::copy(path("anchor"), path("same")).unwrap();
                refusal(&url, &[path("same")])
            }
            First::Stores => behind(store_leased(&*store, &signing.held[older])),
            First::Remembers => behind(store_leased(&*other, &signing.held[older])),
        };
        assert!(why.contains("the database is older than its anchor"), "{why}");
        signing.is_refused(older, &*store);
        signing.is_refused(older, &*other);
        drop(store);
        assert_eq!(refusal(&url, &anchor), why);
        assert_eq!(refusal(&url, &[]), why);

        cluster.put_back(&copy(LAST));
        signing.go_on_from(LAST, &*open_with(&url, &anchor).unwrap());
        Promises::verified_by(|_| true).check(&*other);
        drop(other);
        cluster.put_back(&copy(LAST));
        fs::copy(path("anchor of the last"), path("anchor")).unwrap();
    }
}
