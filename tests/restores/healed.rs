//! Databases that were put back, and that get back what they lack.

use std::{path::PathBuf, time::Duration};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use signwave::{
    anchors::{IntendedEntry, Loss},
    domain::{
        BatchId, BatchState, Contents, Epoch, KeyState, NodeId, Place, Reach, Runs, SignatureBuf,
        ledger::{BatchSigned, Entry, Head},
    },
    signer::digest,
    store::{
        self, DatabaseUrl, HealVerdict, Healing, LostRecord, Restores, Store, StoreError, open_to_restore,
    },
};
use support::{
    postgres::{Cluster, USER, database_of},
    promises::Promises,
    random::count,
    store::{WIDTH, add_keys, add_records, addresses, by, copy, lease, open, open_with, sign},
};
use tempfile::TempDir;

use crate::{
    accepted::{accept, sign_all},
    copies::Copies,
    history::{behind, refusal},
};

/// All that was signed, with its place everywhere.
#[derive(Debug, PartialEq)]
pub struct Facts {
    batches: Vec<String>,
    records: Vec<String>,
    receipts: Vec<String>,
    ledger: String,
    feed: Vec<(BatchId, Place)>,
}

impl Facts {
    /// The same on a server whose feed was renamed.
    pub fn without_feed(self) -> Self {
        Self { feed: Vec::new(), ..self }
    }
}

pub fn facts(store: &dyn Store) -> Facts {
    let batches = store.batches(BatchId(0), usize::MAX).unwrap();
    let signed: Vec<_> = batches.into_iter().filter(|batch| batch.state == BatchState::Signed).collect();
    let mut records = Vec::new();
    for batch in &signed {
        store
            .read_signed(&batch.records, &mut |row| {
                records.push(format!("{row:?}"));
            })
            .unwrap();
    }
    store.sequence().unwrap();
    let ledger = store.ledger().unwrap();
    Facts {
        batches: signed.iter().map(|batch| format!("{batch:?}")).collect(),
        records,
        receipts: store
            .receipts(0, usize::MAX)
            .unwrap()
            .iter()
            .map(|receipt| format!("{receipt:?}"))
            .collect(),
        ledger: format!("{} {:?}", ledger.origin, ledger.head),
        feed: store
            .feed(Place(0), usize::MAX)
            .unwrap()
            .into_iter()
            .map(|batch| (batch.batch.id, batch.place))
            .collect(),
    }
}

/// Puts back what a database lacks, with all that the newest one has, and says that it is halted in between. Returns whether the feed
/// was renamed.
fn heal(url: &DatabaseUrl, anchors: &[PathBuf], newest: &dyn Store) -> bool {
    let store = open_to_restore(url).unwrap();
    let ledger = store.ledger().unwrap();
    let mut edge = store.edge().unwrap();
    let loss = Loss::read(&addresses(anchors), ledger.origin, ledger.head).unwrap();
    assert_eq!(loss.committed.len() as u64, loss.known.size - loss.kept.size);
    let step = |at: Head, part: Healing<'_>| {
        let verdict = store.heal((ledger.origin, at), part, &by()).unwrap();
        assert_ne!(verdict, HealVerdict::Changed);
        verdict
    };
    let ids: Vec<_> = loss.committed.iter().filter_map(|entry| Some(entry.batch()?.id.0)).collect();
    let in_order = ids.is_sorted().then(|| ids[0]);
    let renamed = step(edge.head(), Healing::Begin { why: "it is being healed", in_order });
    let highest = loss.batches.iter().filter_map(|batch| batch.records.last()).max().unwrap();
    for batch in &loss.batches {
        put_back_records(&*store, edge.head(), &batch.records, newest);
        step(edge.head(), Healing::Batch { batch, highest });
        // It is there already.
        step(edge.head(), Healing::Batch { batch, highest });
    }
    for entry in &loss.committed {
        match &entry.what {
            IntendedEntry::Batch(_) => {
                let receipt = newest.receipts(entry.seq - 1, 1).unwrap().remove(0);
                let Some(Entry::Batch(signed)) = receipt.entry else { panic!("{receipt:?}") };
                sign_again(&*store, edge.head(), &signed, newest);
            }
            IntendedEntry::Other(Entry::Key(changed)) => _ = step(edge.head(), Healing::Key(changed)),
            IntendedEntry::Other(other) => panic!("{other:?}"),
        }
        edge.push(entry.leaf);
        assert_eq!(store.ledger().unwrap().head, edge.head());
        behind(open_with(url, anchors).map(drop));
    }
    step(edge.head(), Healing::End);
    renamed == HealVerdict::FeedRenamed
}

fn put_back_records(store: &dyn Restores, at: Head, records: &Runs, newest: &dyn Store) {
    let mut there = Vec::new();
    store.read_signed(records, &mut |row| there.push(row.record)).unwrap();
    let mut lost = Vec::new();
    newest
        .read_signed(records, &mut |row| {
            if !there.contains(&row.record) {
                lost.push((row.record, row.payload.to_vec()));
            }
        })
        .unwrap();
    if !lost.is_empty() {
        let lost: Vec<_> =
            lost.iter().map(|(id, payload)| LostRecord { id: *id, external_id: None, payload }).collect();
        let origin = store.ledger().unwrap().origin;
        assert_eq!(store.heal((origin, at), Healing::Records(&lost), &by()).unwrap(), HealVerdict::Done);
        // The same once more is refused, and another one, too.
        assert!(store.heal((origin, at), Healing::Records(&lost), &by()).is_err());
    }
}

/// With the digests that tests make up.
fn sign_again(store: &dyn Restores, at: Head, entry: &BatchSigned, newest: &dyn Store) {
    let (mut contents, mut signatures) = (Contents::default(), SignatureBuf::with_capacity(WIDTH, 2));
    newest
        .read_signed(&entry.records, &mut |row| {
            contents.push(digest(entry.scheme.digest(), &row.record.0.to_be_bytes()), None);
            signatures.push_zeroed().copy_from_slice(row.signature.unwrap().1);
        })
        .unwrap();
    let origin = store.ledger().unwrap().origin;
    let heal = |entry: &BatchSigned, contents: &Contents, signatures: &SignatureBuf, head| {
        store.heal((origin, head), Healing::Signed { entry, contents, signatures }, &by())
    };
    // Other contents, another epoch and another place are refused, and change nothing.
    let other = Contents::default();
    assert!(matches!(heal(entry, &other, &signatures, at), Err(StoreError::Refused(_))));
    let earlier = BatchSigned { epoch: Epoch(entry.epoch.0 - 1), ..entry.clone() };
    assert!(matches!(heal(&earlier, &contents, &signatures, at), Err(StoreError::Refused(_))));
    let elsewhere = Head { size: at.size + 1, ..at };
    assert_eq!(heal(entry, &contents, &signatures, elsewhere), Ok(HealVerdict::Changed));
    assert_eq!(heal(entry, &contents, &signatures, at), Ok(HealVerdict::Done));
}

#[test]
fn after_a_heal_the_database_is_the_newest_one_again() {
    let commits = count("TEST_COPIES", 7);
    let copies = Copies::of(commits);
    for newest in 1..=commits {
        copies.anchor(newest);
        let anchor = std::fs::read(copies.path("anchor")).unwrap();
        let had = DatabaseUrl::Sqlite(copies.path(&format!("{newest}.db")));
        let had = store::open_to_read(&had).unwrap();
        for older in 0..newest {
            copies.put(older);
            copies.anchor(newest);
            refusal(&copies.url(), &copies.anchors());
            copies.end_leases_of_nodes();
            assert!(!heal(&copies.url(), &copies.anchors(), &*had));
            let store = open_with(&copies.url(), &copies.anchors()).unwrap();
            assert_eq!(std::fs::read(copies.path("anchor")).unwrap(), anchor, "it says the same as before");
            assert_eq!(facts(&*store), facts(&*had));
            let mut promises = Promises::verified_by(|_| true);
            promises.check(&*store);
            sign_all(&*store);
            promises.check(&*store);
            assert_eq!(store.status().unwrap().waiting(), 0);
            drop(store);
        }
    }
}

#[test]
fn nothing_is_put_back_under_a_node_at_work() {
    let copies = Copies::of(2);
    copies.put(1);
    let store = open_to_restore(&copies.url()).unwrap();
    let ledger = store.ledger().unwrap();
    let at = (ledger.origin, ledger.head);
    let working = copies.open();
    let node = support::store::register(&*working);
    let begin = Healing::Begin { why: "why", in_order: None };
    let refused = store.heal(at, begin, &by());
    assert!(matches!(&refused, Err(StoreError::Refused(why)) if why.contains("is at work")), "{refused:?}");
    working.remove_node(node).unwrap();
    copies.end_leases_of_nodes();
    // It is halted until the end.
    assert_eq!(store.heal(at, Healing::End, &by()), Ok(HealVerdict::Changed));
    assert_eq!(store.heal(at, begin, &by()), Ok(HealVerdict::Done));
    assert_eq!(behind(store::open(&copies.url()).map(drop)), "why");
    assert_eq!(store.heal(at, Healing::End, &by()), Ok(HealVerdict::Done));
    store::open(&copies.url()).unwrap();
}

/// Batches that are signed in another order than that of their ids, one that is released and signed later, one that is never
/// signed, and a key that is retired. `early`: the backup has all records.
fn begin_odd(store: &dyn Store, early: bool) -> NodeId {
    add_keys(store, 3);
    add_records(store, 6);
    open(store, 2, usize::MAX, true);
    let node = store.register_node("node", Duration::from_secs(3600), &Reach::default()).unwrap();
    let leases = lease(store, node, 3);
    for batch in [1, 0] {
        store.commit(&[sign(copy(&leases[batch]))]).unwrap();
    }
    if early {
        add_records(store, 10);
    }
    node
}

fn go_on_odd(store: &dyn Store, node: NodeId, early: bool) {
    let held = store.inventory(node, &[]).unwrap().held;
    assert_eq!(store.release(&held).unwrap(), 1);
    if !early {
        add_records(store, 10);
    }
    open(store, 2, usize::MAX, true);
    let mut leases = lease(store, node, 3);
    let (five, four, three) = (leases.remove(2), leases.remove(1), leases.remove(0));
    assert_eq!([three.batch(), four.batch(), five.batch()], [BatchId(3), BatchId(4), BatchId(5)]);
    store.commit(&[sign(copy(&five))]).unwrap();
    store.release(&[(four.batch(), four.epoch())]).unwrap();
    store.commit(&[sign(copy(&three))]).unwrap();
    store.set_key_state(four.key(), KeyState::Retired, Some("old"), &by()).unwrap();
    let mut leases = lease(store, node, 2);
    assert_eq!(leases[0].batch(), BatchId(4));
    let (six, four) = (leases.remove(1), leases.remove(0));
    store.commit(&[sign(six)]).unwrap();
    let seven = lease(store, node, 1).remove(0);
    store.commit(&[sign(seven)]).unwrap();
    store.release(&[(four.batch(), four.epoch())]).unwrap();
}

/// That the odd history is put back in the database of `url`, which was kept in the middle of it.
fn odd_heals(url: &DatabaseUrl, anchors: &[PathBuf], newest: &DatabaseUrl, early: bool) -> bool {
    let had = store::open(newest).unwrap();
    refusal(url, anchors);
    let renamed = heal(url, anchors, &*had);
    let store = open_with(url, anchors).unwrap();
    let (now, had) = (facts(&*store), facts(&*had));
    if renamed {
        assert_eq!(now.without_feed(), had.without_feed())
    } else {
        assert_eq!(now, had)
    }
    let retired = store.keys().unwrap().iter().filter(|key| key.state == KeyState::Retired).count();
    assert_eq!(retired, 1);
    let mut promises = Promises::verified_by(|_| true);
    promises.check(&*store);
    sign_all(&*store);
    promises.check(&*store);
    let status = store.status().unwrap();
    let records = if early { 16 + 5 } else { 16 - 4 + 5 };
    assert_eq!((status.waiting(), status.signed), (0, records), "{status:?}");
    renamed
}

#[test]
fn batches_come_back_in_the_order_of_the_ledger_and_around_those_that_were_never_signed() {
    for early in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (url, anchors) = (DatabaseUrl::Sqlite(path("signwave.db")), [path("anchor")]);
        store::migrate(&url).unwrap();
        let run = |sql: &str, name: &str| {
            let mut connection = SqliteConnection::establish(path(name).to_str().unwrap()).unwrap();
            connection.batch_execute(sql).unwrap();
        };
        let node = begin_odd(&*open_with(&url, &anchors).unwrap(), early);
        run(&format!("VACUUM INTO '{}'", path("old.db").display()), "signwave.db");
        go_on_odd(&*open_with(&url, &anchors).unwrap(), node, early);
        run("UPDATE node SET lease_until = '2000-01-01T00:00:00.000Z'", "old.db");
        let old = DatabaseUrl::Sqlite(path("old.db"));
        assert!(!odd_heals(&old, &anchors, &url, early), "SQLite knows the order of the feed");
    }
}

/// The odd history on a server: the folder of its anchor, an earlier copy, and the newest one.
fn odd_server(early: bool) -> (TempDir, DatabaseUrl, DatabaseUrl) {
    let cluster = Cluster::shared();
    let newest = cluster.database("heal");
    let database = database_of(&newest).to_owned();
    let url = DatabaseUrl::parse(&newest).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let anchors = [folder.path().join("anchor")];
    store::migrate(&url).unwrap();
    let node = begin_odd(&*open_with(&url, &anchors).unwrap(), early);
    let old = format!("{database}_old");
    cluster.copy(&database, &old);
    go_on_odd(&*open_with(&url, &anchors).unwrap(), node, early);
    cluster.admin(&old).batch_execute("UPDATE node SET lease_until = '2000-01-01'").unwrap();
    let old = DatabaseUrl::parse(&cluster.url(USER, &old)).unwrap();
    (folder, old, url)
}

#[test]
fn a_server_gets_back_what_it_lacks() {
    for early in [false, true] {
        let (folder, old, newest) = odd_server(early);
        let anchors = [folder.path().join("anchor")];
        assert!(odd_heals(&old, &anchors, &newest, early), "another order of the feed is possible");
    }
}

#[test]
fn a_server_whose_loss_is_accepted_signs_all_that_was_never_signed() {
    for early in [false, true] {
        let (folder, old, _) = odd_server(early);
        let anchors = [folder.path().join("anchor")];
        accept(&old, &anchors, false).unwrap();
        let store = open_with(&old, &anchors).unwrap();
        let mut promises = Promises::verified_by(|_| true);
        promises.check(&*store);
        sign_all(&*store);
        promises.check(&*store);
        let status = store.status().unwrap();
        let (signed, lost) = if early { (4 + 4 + 5, 8) } else { (4 + 5, 2) };
        assert_eq!((status.waiting(), status.signed, status.lost), (0, signed, lost), "{status:?}");
    }
}
