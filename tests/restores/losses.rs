//! Histories by chance, of which an earlier state is put back, and the loss accepted: batches that are signed in any order,
//! given back, or never signed, and records that become visible late.

use std::{fs, path::PathBuf, sync::Arc};

use diesel::{PgConnection, connection::SimpleConnection as _};
use signwave::{
    anchors::Loss,
    domain::{Lease, Reach},
    store::{self, AcceptVerdict, Acceptance, DatabaseUrl, Store},
};
use support::{
    postgres::{Cluster, database_of},
    random::{Random, count},
    store::MINUTE,
    store::{add_keys, add_records, addresses, by, lease, new_key, open, open_with},
    waiting::until,
};
use tempfile::TempDir;

use crate::{
    accepted::Before,
    history::{end_leases, store_leased},
};

/// A database of which copies can be made and put back while no process has it open.
trait Keeping {
    fn url(&self) -> DatabaseUrl;
    fn keep(&self);
    fn put_back(&self);
    /// Time goes by, so that no node counts as alive.
    fn end_leases(&self);
    /// Begins to insert a record, which others see when the result is dropped.
    fn insert_late(&self) -> Option<Late>;
}

/// A transaction that has inserted a record.
struct Late(PgConnection);

impl Drop for Late {
    fn drop(&mut self) {
        self.0.batch_execute("COMMIT").unwrap();
    }
}

struct File(TempDir);

impl File {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn is_closed(&self) {
        until("the log is gone", MINUTE, || !self.path("signwave.db-wal").exists());
    }
}

impl Keeping for File {
    fn url(&self) -> DatabaseUrl {
        DatabaseUrl::Sqlite(self.path("signwave.db"))
    }

    fn keep(&self) {
        self.is_closed();
        fs::copy(self.path("signwave.db"), self.path("copy.db")).unwrap();
    }

    fn put_back(&self) {
        self.is_closed();
        fs::copy(self.path("copy.db"), self.path("signwave.db")).unwrap();
    }

    fn end_leases(&self) {
        end_leases(&self.path("signwave.db"));
    }

    fn insert_late(&self) -> Option<Late> {
        None
    }
}

struct Server(String);

impl Server {
    fn name(&self) -> &str {
        database_of(&self.0)
    }
}

impl Keeping for Server {
    fn url(&self) -> DatabaseUrl {
        DatabaseUrl::parse(&self.0).unwrap()
    }

    fn keep(&self) {
        Cluster::shared().copy(self.name(), &format!("{}_copy", self.name()));
    }

    fn put_back(&self) {
        Cluster::shared().copy(&format!("{}_copy", self.name()), self.name());
    }

    fn end_leases(&self) {
        Cluster::shared()
            .admin(self.name())
            .batch_execute("UPDATE node SET lease_until = '2000-01-01'")
            .unwrap();
    }

    fn insert_late(&self) -> Option<Late> {
        let mut connection = Cluster::shared().admin(self.name());
        connection.batch_execute("BEGIN; INSERT INTO record (payload) VALUES ('late')").unwrap();
        Some(Late(connection))
    }
}

/// One life of those who sign, which ends without a good-bye.
fn live(database: &dyn Keeping, store: &Arc<dyn Store>, steps: u64, random: &mut Random) {
    let day = std::time::Duration::from_secs(86_400);
    let node = store.register_node("node", day, &Reach::default()).unwrap();
    let (mut held, mut late): (Vec<Lease>, Vec<Late>) = (Vec::new(), Vec::new());
    for _ in 0..steps {
        match random.below(10) {
            0 | 1 => _ = add_records(&**store, 1 + random.below(4) as usize),
            2 | 3 => _ = open(&**store, 2, 3 + random.below(3) as usize, random.below(2) == 0),
            4 => held.extend(lease(&**store, node, 1)),
            5 if !held.is_empty() => {
                let lease = held.swap_remove(random.below(held.len() as u64) as usize);
                store.release(&[(lease.batch(), lease.epoch())]).unwrap();
            }
            6 => late.extend(database.insert_late()),
            // A command, which writes no anchor.
            8 => {
                let key = new_key(4 + random.below(200) as u8);
                store::open(&database.url()).unwrap().add_key(&key, &by()).unwrap();
            }
            7 if !late.is_empty() => drop(late.swap_remove(random.below(late.len() as u64) as usize)),
            _ if !held.is_empty() => {
                let lease = held.swap_remove(random.below(held.len() as u64) as usize);
                store_leased(&**store, &lease).unwrap();
            }
            _ => {}
        }
    }
}

fn is_accepted(database: &dyn Keeping, folder: &TempDir, number: usize, random: &mut Random) {
    let anchors = [folder.path().join(format!("anchor-{number}"))];
    let url = database.url();
    let life = |steps: u64, random: &mut Random| {
        let store = open_with(&url, &anchors).unwrap();
        live(database, &store, steps, random);
        drop(store);
        database.end_leases();
        // What a dead node has leased is open again for the next one.
        let store = open_with(&url, &anchors).unwrap();
        store.reclaim(None, std::time::Duration::ZERO).unwrap();
    };
    life(30 + random.below(30), random);
    database.keep();
    let size = store::open_to_read(&url).unwrap().ledger().unwrap().head.size;
    for _ in 0..1 + random.below(3) {
        life(20 + random.below(30), random);
    }
    let before = Before::of(&*store::open_to_read(&url).unwrap());
    let is_lost = store::open_to_read(&url).unwrap().ledger().unwrap().head.size > size;
    database.put_back();
    if is_lost {
        before.is_accepted(&url, &anchors);
    }
}

/// Loses several times, also what was added after a loss.
fn loses_by_chance(database: &dyn Keeping) {
    let (histories, mut random) = (count("TEST_RESTORES", 4), Random::new());
    let folder = tempfile::tempdir().unwrap();
    store::migrate(&database.url()).unwrap();
    add_keys(&*store::open(&database.url()).unwrap(), 3);
    for number in 0..histories {
        is_accepted(database, &folder, number, &mut random);
    }
}

#[test]
fn a_file_loses_by_chance() {
    loses_by_chance(&File(tempfile::tempdir().unwrap()));
}

#[test]
fn a_server_loses_by_chance() {
    loses_by_chance(&Server(Cluster::shared().database("losing")));
}

/// The lock of its process tells of a node on the same machine whether it lives. Of others only their leases do.
#[test]
fn no_loss_is_accepted_on_a_server_while_a_node_may_live() {
    let server = Server(Cluster::shared().database("living"));
    let folder = tempfile::tempdir().unwrap();
    let (url, anchors) = (server.url(), [folder.path().join("anchor")]);
    store::migrate(&url).unwrap();
    let store = open_with(&url, &anchors).unwrap();
    add_keys(&*store, 1);
    add_records(&*store, 2);
    let node = store.register_node("alpha", MINUTE, &Reach::default()).unwrap();
    open(&*store, 2, 1, true);
    let held = lease(&*store, node, 1).remove(0);
    drop(store);
    server.keep();
    store_leased(&*open_with(&url, &anchors).unwrap(), &held).unwrap();
    server.put_back();
    let store = store::open_to_restore(&url).unwrap();
    let ledger = store.ledger().unwrap();
    let (loss, reason) =
        (Loss::read(&addresses(&anchors), ledger.origin, ledger.head).unwrap(), "why".parse().unwrap());
    let acceptance = Acceptance { loss: &loss, reason: &reason, signs_again: false };
    let refused = store.accept(acceptance, &by()).unwrap_err().to_string();
    assert!(refused.contains("node 1 (alpha) is at work, or its lease has not run out yet"), "{refused}");
    server.end_leases();
    assert!(matches!(
        store.accept(acceptance, &by()),
        Ok(AcceptVerdict::Accepted { batches: 1, kept_records: 2, .. })
    ));
}
