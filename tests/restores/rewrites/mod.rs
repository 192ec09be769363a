//! Somebody who holds a database and its keys rewrites its past, so that it is consistent in itself: an anchor finds it.

mod forged;

use std::{collections::BTreeMap, fs, path::Path, slice::from_ref, sync::Mutex, thread};

use diesel::{
    Connection as _, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _, sql_query,
};
use signwave::{
    anchors::{self, Claim},
    audit::{self, Anchor, Problem, Report},
    domain::{
        Epoch, KeyId, Scheme, Time,
        ledger::{Hash, KeyChange, LedgerId, LostBatches, Receipt, Restored},
        promises::Breach,
    },
    signer::Engine,
    store::{self, DatabaseUrl},
};
use support::{
    place::Row,
    random::{Random, count},
    site::Site,
    store::open_with,
};

use crate::history::refusal;
use forged::{Batch, Forged, Item, Keys, Record};

const ANCHOR: &str = "elsewhere.anchor";

/// A database with an anchor, and what is needed to rewrite it.
struct Victim {
    site: Site,
    past: Forged,
    leaves: Vec<Hash>,
    /// The sizes at which the anchor knows the ledger, in the order in which it says so.
    heads: Vec<u64>,
    /// SQL that makes all triggers.
    triggers: String,
}

impl Victim {
    /// Keys and batches of two runs with an anchor, between which a key was retired and another one made.
    fn new() -> Self {
        let site = Site::new(3, 2048, 9);
        let sign = || {
            site.ok(&["sign", "--batch-size", "3", "--signers", "1", "--prefetch", "1", "--anchor", ANCHOR])
        };
        sign();
        site.ok(&["keys", "retire", "3", "--yes"]);
        site.ok(&["keys", "generate", "--bits", "2048"]);
        site.ok(&["seed", "--records", "18"]);
        sign();
        let mut sql = site.sql();
        let triggers: Vec<Row> =
            sql_query("SELECT 0 AS number, sql || ';' AS text FROM sqlite_master WHERE type = 'trigger'")
                .load(&mut sql)
                .unwrap();
        let triggers = triggers.into_iter().map(|row| row.text).collect();
        let past =
            Forged::read(&*store::open_to_read(&DatabaseUrl::Sqlite(site.path("signwave.db"))).unwrap());
        let claims =
            anchors::read(&site.path(ANCHOR).into()).unwrap().flat_map(|passage| passage.unwrap().claims());
        let heads =
            claims.filter_map(|claim| if let Claim::Head(head) = claim { Some(head.size) } else { None });
        let heads = heads.collect();
        let mut victim = Self { site, past, leaves: Vec::new(), heads, triggers };
        victim.leaves = victim.past.ledger(&victim.keys()).0.iter().map(Receipt::leaf).collect();
        victim.empty();
        victim
    }

    /// Makes `empty.db`, a copy without rows and triggers.
    fn empty(&self) {
        let names: Vec<Row> =
            sql_query("SELECT 0 AS number, name AS text FROM sqlite_master WHERE type = 'trigger'")
                .load(&mut self.site.sql())
                .unwrap();
        let drop: String = names.iter().map(|row| format!("DROP TRIGGER {};", row.text)).collect();
        let path = self.site.path("empty.db");
        self.site.sql().batch_execute(&format!("VACUUM INTO '{}'", path.display())).unwrap();
        let mut sql = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        let tables: String = ["feed", "signature", "receipt", "batch", "record"]
            .map(|table| format!("DELETE FROM {table};"))
            .concat();
        sql.batch_execute(&format!("PRAGMA foreign_keys = OFF; {drop} {tables}")).unwrap();
    }

    fn keys(&self) -> Keys {
        let store = store::open_to_read(&DatabaseUrl::Sqlite(self.site.path("signwave.db"))).unwrap();
        Keys::open(&*store, &self.site.path("signwave.db.master"))
    }

    /// Writes another past into a database in `folder`, beside a copy of the anchor.
    fn write(&self, past: &Forged, keys: &Keys, folder: &Path) -> DatabaseUrl {
        let path = folder.join("signwave.db");
        fs::copy(self.site.path("empty.db"), &path).unwrap();
        fs::copy(self.site.path(ANCHOR), folder.join(ANCHOR)).unwrap();
        let mut sql = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        let (rows, triggers) = (past.sql(keys), &self.triggers);
        sql.batch_execute(&format!("PRAGMA synchronous = OFF; BEGIN; {rows} {triggers} COMMIT")).unwrap();
        DatabaseUrl::Sqlite(path)
    }

    /// Whether this is the problem that there must be. An anchor compares where commits ended.
    fn is_expected(&self, problem: &Problem, past: &Forged, keys: &Keys) -> bool {
        let now: Vec<_> = past.ledger(keys).0.iter().map(Receipt::leaf).collect();
        let (has, had) = (now.len() as u64, self.leaves.len() as u64);
        let same = now.iter().zip(&self.leaves).take_while(|(now, had)| now == had).count() as u64;
        assert!(past.origin != self.past.origin || same < had, "nothing was rewritten");
        let end_of_commit = self.heads.iter().copied().find(|head| *head > same).unwrap_or(had);
        match problem {
            Problem::OtherAnchor { .. } => past.origin != self.past.origin,
            Problem::Broken(Breach::NotAsAnchored { seq, .. }) => (same + 1..=end_of_commit).contains(seq),
            Problem::Broken(Breach::BehindAnchor { anchored, found, .. }) => {
                (*anchored, *found) == (had, has) && has < end_of_commit
            }
            _ => false,
        }
    }

    /// Rewrites the past, which is found. Returns how it was rewritten.
    fn is_found_rewritten(&self, keys: &mut Keys, random: &mut Random) -> &'static str {
        let mut past = self.past.clone();
        let what = rewrite(&mut past, keys, random);
        for _ in 0..random.below(4) {
            past.waiting.clear(); // they would be below the frontier
            let batch = new_batch(&past, keys);
            past.items.push(Item::Batch(batch));
        }
        let folder = tempfile::tempdir().unwrap();
        let url = self.write(&past, keys, folder.path());
        let anchor = folder.path().join(ANCHOR);
        let report = verify(&url, &anchor);
        let is_expected = |problem: &Problem| self.is_expected(problem, &past, keys);
        let problems = &report.problems;
        assert!(matches!(&problems[..], [problem] if is_expected(problem)), "{what}: {problems:?}");
        refusal(&url, from_ref(&anchor));
        assert_eq!(fs::read(anchor).unwrap(), fs::read(self.site.path(ANCHOR)).unwrap(), "{what}");
        what
    }
}

fn verify(url: &DatabaseUrl, anchor: &Path) -> Report {
    let store = store::open_to_read(url).unwrap();
    let anchors = vec![Anchor::open(&anchor.into()).unwrap()];
    audit::check_all(&*store, Engine::default(), 1, anchors, &|_| ()).unwrap()
}

/// Rewrites the past in one of many ways. Returns how.
fn rewrite(past: &mut Forged, keys: &mut Keys, random: &mut Random) -> &'static str {
    let places: Vec<_> = past
        .items
        .iter()
        .enumerate()
        .filter(|(_, item)| matches!(item, Item::Batch(_)))
        .map(|(at, _)| at)
        .collect();
    let at = places[random.below(places.len() as u64) as usize];
    match random.below(8) {
        0 => truncate(past, random),
        1 => restore(past, keys, random),
        2 => {
            past.origin.id = LedgerId(random.below(u64::MAX).to_be_bytes());
            "another ledger"
        }
        3 => reorder(past, keys, random, at),
        4 => change_key(past, random),
        _ => match &mut past.items[at] {
            Item::Batch(batch) => change_batch(batch, keys, random),
            _ => unreachable!("it is the place of a batch"),
        },
    }
}

/// Changes a batch, and signs it again where that is needed.
fn change_batch(batch: &mut Batch, keys: &mut Keys, random: &mut Random) -> &'static str {
    let record = random.below(batch.records.len() as u64) as usize;
    let number = random.below(1 << 40);
    match random.below(7) {
        0 => {
            batch.signed_at = Time::from_millis(number);
            "the time of a batch"
        }
        1 => {
            batch.epoch = Epoch(batch.epoch.0 + 2 * (1 + number as i64));
            "the lease of a batch"
        }
        2 => {
            let name = &mut batch.records[record].name;
            *name = if name.is_none() || number.is_multiple_of(2) {
                Some(format!("other-{number}"))
            } else {
                None
            };
            "a name"
        }
        3 => {
            batch.records[record].payload = number.to_be_bytes().to_vec();
            keys.sign(batch);
            "a payload"
        }
        4 => {
            keys.sign(batch);
            "signatures"
        }
        5 => {
            batch.key = keys.after(batch.key);
            keys.sign(batch);
            "the key of a batch"
        }
        _ => {
            let others = Scheme::ALL.into_iter().filter(|scheme| *scheme != batch.scheme);
            batch.scheme = others.collect::<Vec<_>>()[number as usize % 5];
            keys.sign(batch);
            "the scheme of a batch"
        }
    }
}

/// Moves, removes, adds, joins or cuts what has an entry.
fn reorder(past: &mut Forged, keys: &mut Keys, random: &mut Random, at: usize) -> &'static str {
    let batch = match &past.items[at] {
        Item::Batch(batch) => batch.clone(),
        _ => unreachable!("it is the place of a batch"),
    };
    match random.below(4) {
        0 => {
            let other = (at + 1 + random.below(past.items.len() as u64 - 1) as usize) % past.items.len();
            past.items.swap(at, other);
            "the order of entries"
        }
        1 => {
            past.items.remove(at);
            if random.below(2) == 0 {
                // It was never there, or it was never signed: then it would be signed later.
                let last = past.batches().flat_map(|batch| &batch.records).map(|record| record.id).max();
                past.waiting = batch.records.into_iter().filter(|record| Some(record.id) > last).collect();
            }
            "a batch is gone"
        }
        2 => {
            past.items.insert(at, Item::Batch(new_batch(past, keys)));
            "a batch is new"
        }
        _ => {
            let (first, rest) =
                batch.records.split_at(1 + random.below(batch.records.len() as u64 - 1) as usize);
            past.items[at] = Item::Batch(Batch { records: first.to_vec(), ..batch.clone() });
            past.items.insert(at + 1, Item::Batch(Batch { records: rest.to_vec(), ..batch.clone() }));
            "a batch is two"
        }
    }
}

/// An older database. Records of the batches that it lacks are gone, or wait.
fn truncate(past: &mut Forged, random: &mut Random) -> &'static str {
    // The first entry is of the key of new batches.
    let kept = 1 + random.below(past.items.len() as u64 - 1) as usize;
    let lost = past.items.split_off(kept);
    if random.below(2) == 0 {
        let records = lost
            .into_iter()
            .filter_map(|item| if let Item::Batch(batch) = item { Some(batch.records) } else { None });
        past.waiting = records.flatten().collect();
    }
    "an older database"
}

/// An older database that says that its loss was accepted.
fn restore(past: &mut Forged, keys: &Keys, random: &mut Random) -> &'static str {
    let from = past.origin;
    let lost = past.items.len() as u64;
    truncate(past, random);
    let kept = past.ledger(keys).1.head();
    let (at, reason) = (Time::from_millis(1 << 40), "the disk died".parse().unwrap());
    let batches = LostBatches::default().head();
    let restored = Restored { from, kept: kept.size, root: kept.root, lost, batches, at, reason };
    past.items.push(Item::Restore(restored));
    past.origin = from.next().unwrap();
    "a restore"
}

/// A key that was added or retired at another time, or never retired.
fn change_key(past: &mut Forged, random: &mut Random) -> &'static str {
    if random.below(4) == 0 {
        let is_retired = |item: &Item| matches!(item, Item::Key(key) if key.change == KeyChange::Retired);
        past.items.retain(|item| !is_retired(item));
        return "a key that was never retired";
    }
    let keys =
        past.items.iter_mut().filter_map(|item| if let Item::Key(key) = item { Some(key) } else { None });
    let mut keys: Vec<_> = keys.collect();
    let which = random.below(keys.len() as u64) as usize;
    keys[which].at = Time::from_millis(random.below(1 << 40));
    "the time of a key"
}

/// The next batch, as it would be signed.
fn new_batch(past: &Forged, keys: &mut Keys) -> Batch {
    let records = past.batches().flat_map(|batch| &batch.records).chain(&past.waiting);
    let last = records.map(|record| record.id).max().unwrap_or(0);
    let record = |id| Record { id, name: None, payload: b"new".to_vec(), signature: Vec::new() };
    let records = (last + 1..last + 3).map(record).collect();
    let (key, signed_at) = (KeyId(1), Time::from_millis(1 << 41));
    let mut batch = Batch { records, epoch: Epoch(1), scheme: Scheme::Ps256, key, signed_at };
    keys.sign(&mut batch);
    batch
}

#[test]
fn every_rewrite_of_a_database_is_found_by_its_anchor() {
    let (rewrites, mut random) = (count("TEST_REWRITES", 20), Random::new());
    let victim = Victim::new();
    let folder = tempfile::tempdir().unwrap();
    let url = victim.write(&victim.past, &victim.keys(), folder.path());
    let anchor = folder.path().join(ANCHOR);
    let report = verify(&url, &anchor);
    assert!(report.is_clean(), "what is written as it was is sound: {report:?}");
    assert_eq!(report.ledger.anchored, Some(victim.leaves.len() as u64));
    open_with(&url, &[anchor]).unwrap();
    let queue = Mutex::new((0..rewrites).map(|_| random.another()).collect::<Vec<_>>().into_iter());
    let ways = Mutex::new(BTreeMap::<_, usize>::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let (mut keys, next) = (victim.keys(), || queue.lock().unwrap().next());
                while let Some(mut random) = next() {
                    let way = victim.is_found_rewritten(&mut keys, &mut random);
                    *ways.lock().unwrap().entry(way).or_default() += 1;
                }
            });
        }
    });
    let ways = ways.into_inner().unwrap();
    assert_eq!(ways.values().sum::<usize>(), rewrites);
    println!("measured: {rewrites} rewrites, each found: {ways:?}");
}
