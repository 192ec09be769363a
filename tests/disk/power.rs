//! The power goes away: at every sync, and between, with whatever was not synced lost, torn or out of
//! order. What somebody had been shown before must be there, and the rest can be signed.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use diesel::connection::SimpleConnection;
use signwave::{
    actors::{self, Ending, Mode, Parts},
    audit::{self, Anchor},
    config::Settings,
    signer::{Engine, Keyring, MasterKey, OpenSigner},
    store::{self, DatabaseUrl, StoreError},
};
use support::{
    process::succeed,
    random::{Random, count},
    site::{Site, blobs, number, signatures},
    store::open_with,
    strace::under,
};

use crate::{
    Named,
    platter::{Disk, Fate},
    trace::{self, ELSEWHERE, Event},
};

/// A database is made, filled, signed record by record (so that its log is copied back and begun
/// anew), filled again, left by a process that is killed, and signed to the end. `ANCHOR` is an option, or nothing.
const LIFE: &str = r#"
set -e
exec >said 2>&1
"$0" seed --keys 3 --records 600
"$0" sign $ANCHOR --batch-size 1
"$0" seed --records 750
"$0" sign $ANCHOR --batch-size 1 &
until grep -q 'is node 2' said; do sleep 0.01; done
sleep 0.1
kill -9 $!
wait
"$0" sign $ANCHOR --batch-size 7
"$0" seed --keys 1 --records 760
"$0" sign $ANCHOR
"#;

const ANCHOR: &str = "elsewhere/anchor";

/// One loss of power.
#[derive(Debug)]
struct Loss {
    /// How many events had happened.
    point: usize,
    /// What becomes of the database, and of the anchor.
    fates: [Fate; 2],
    has_anchor: bool,
    random: Random,
    /// Whether the binary itself goes on from there, as a user would, or this program in its place.
    with_binary: bool,
}

/// What somebody outside can know.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    records: BTreeMap<i64, Vec<u8>>,
    keys: BTreeMap<i64, Vec<u8>>,
    signatures: BTreeMap<i64, Vec<u8>>,
}

#[derive(Default)]
struct Tally {
    images: usize,
    syncs: usize,
    unsynced: usize,
    shown: usize,
    waited: usize,
}

/// How many images come from one life.
const IMAGES_PER_LIFE: usize = 100;

#[test]
fn whenever_the_power_goes_what_was_shown_is_there_and_the_rest_is_signed_once() {
    lose_often(count("TEST_IMAGES", 60), false);
}

#[test]
fn whenever_the_power_goes_an_anchor_knows_what_was_shown_and_takes_no_database_for_an_older_one() {
    lose_often(count("TEST_IMAGES", 6), true);
}

fn lose_often(images: usize, has_anchor: bool) {
    let mut random = Random::new();
    let tally = Mutex::new(Tally::default());
    for first in (0..images).step_by(IMAGES_PER_LIFE) {
        let events = record(LIFE, &["--seccomp-bpf"], has_anchor);
        nothing_is_said_before_it_is_shown(&events);
        let losses = losses(IMAGES_PER_LIFE.min(images - first), &events, has_anchor, &mut random);
        let queue = Mutex::new(losses.into_iter());
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
                scope.spawn(|| {
                    let next = || queue.lock().unwrap().next();
                    while let Some(loss) = next() {
                        lose_power(&events, loss, &tally);
                    }
                });
            }
        });
    }
    let Tally { images, syncs, unsynced, shown, waited } = tally.into_inner().unwrap();
    println!(
        "measured: {images} images, {syncs} of them of a moment before a sync, with {unsynced} changes that were not \
         synced; {shown} signatures shown before are there; {waited} times a lease had to run out"
    );
    assert!(unsynced > images && shown > images, "this proves nothing");
}

/// A process is killed when it has written a commit and is about to sync it: SQLite finds the commit in
/// the log when the file is opened next, and shows it.
#[test]
fn a_commit_that_a_killed_process_had_not_synced_is_certain_before_it_is_shown() {
    // Without seccomp, with which strace 6.1 injects nothing.
    let killed_before_a_sync = ["-e", "inject=fsync,fdatasync:signal=KILL:when=40"];
    for command in ["export", "status", "verify", "sign"] {
        let script = format!(
            r#"
            exec >said 2>&1
            "$0" seed --keys 3 --records 300
            "$0" sign --batch-size 1
            echo killed
            "$0" {command} || true
            "#
        );
        let events = record(&script, &killed_before_a_sync, false);
        let is_killed = |event: &Event| matches!(event, Event::Said { text } if text == "killed\n");
        let killed = events.iter().position(is_killed).unwrap();
        let is_seen = |event: &Event| matches!(event, Event::Shown | Event::Said { .. });
        let seen = killed + 1 + events[killed + 1..].iter().position(is_seen).unwrap();
        let [certain, found] = [Fate::Lost, Fate::Kept].map(|fate| after(&events[..killed], fate));
        assert!(found.signatures.len() > certain.signatures.len(), "it was killed in a commit");
        let _named = Named(format!("what '{command}' showed first, {:?}", events[seen]));
        after(&events[..seen], Fate::Lost).holds(&found);
    }
}

/// Runs a script with the binary under strace.
fn record(script: &str, options: &[&str], has_anchor: bool) -> Vec<Event> {
    let site = Site::empty();
    fs::create_dir(site.path(ELSEWHERE)).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(site.command(&[]).get_program()).current_dir(site.folder());
    shell.env("ANCHOR", if has_anchor { format!("--anchor {ANCHOR}") } else { String::new() });
    let trace = site.path("trace");
    let options: Vec<_> = trace::OPTIONS.iter().chain(options).map(|option| (*option).to_owned()).collect();
    succeed(under(&shell, &trace, &options));
    trace::events(&fs::read_to_string(trace).unwrap(), &site.folder().canonicalize().unwrap())
}

/// Every sync at most once, in any order, and every fourth time any moment between two. The disks of the database and of the
/// anchor lose their power together, or one of them does.
fn losses(images: usize, events: &[Event], has_anchor: bool, random: &mut Random) -> Vec<Loss> {
    let mut syncs: Vec<_> = (0..events.len()).filter(|i| is_sync(&events[*i])).collect();
    let mut sync = |random: &mut Random| syncs.swap_remove(random.below(syncs.len() as u64) as usize);
    (0..images)
        .map(|i| Loss {
            point: if i % 4 == 3 { random.below(events.len() as u64 + 1) as usize } else { sync(random) },
            fates: {
                let [database, anchor] = [(); 2].map(|()| Fate::LOSSES[random.below(4) as usize]);
                match if has_anchor { i % 3 } else { 0 } {
                    0 => [database, anchor],
                    1 => [database, Fate::Kept],
                    _ => [Fate::Kept, anchor],
                }
            },
            has_anchor,
            random: random.another(),
            with_binary: i % 10 == 0,
        })
        .collect()
}

fn is_sync(event: &Event) -> bool {
    matches!(event, Event::Sync { .. } | Event::SyncFolder { .. })
}

fn lose_power(events: &[Event], mut loss: Loss, tally: &Mutex<Tally>) {
    let mut disk = Disk::default();
    events[..loss.point].iter().for_each(|event| disk.apply(event));
    let site = Site::empty();
    let _named = Named(format!("{loss:?}"));
    let [of_database, of_anchor] = loss.fates;
    let fate_of = |name: &str| if name == ANCHOR { of_anchor } else { of_database };
    disk.image(fate_of, &mut loss.random, site.folder());
    let anchors = if loss.has_anchor { vec![site.path(ANCHOR)] } else { Vec::new() };
    fs::create_dir_all(site.path(ELSEWHERE)).unwrap();

    let before = shown(&events[..loss.point]);
    let url = DatabaseUrl::Sqlite(site.path("signwave.db"));
    store::migrate(&url).unwrap();
    if loss.has_anchor && !is_begun(&events[..loss.point]) {
        remove_what_is_no_anchor(&site, &url, &anchors);
    }
    check(&site, &url, &anchors);
    let found = look(&site);
    found.holds(&before);

    let waited =
        if loss.with_binary { finish_with_binary(&site, &anchors) } else { finish(&site, &url, &anchors) };
    check(&site, &url, &anchors);
    let finished = look(&site);
    finished.holds(&found);
    assert_eq!(finished.signatures.len(), finished.records.len(), "every record has a signature");

    let mut tally = tally.lock().unwrap();
    tally.images += 1;
    tally.syncs += usize::from(events.get(loss.point).is_some_and(is_sync));
    tally.unsynced += disk.unsynced();
    tally.shown += before.signatures.len();
    tally.waited += usize::from(waited);
}

/// Whether the first line of the anchor was synced.
fn is_begun(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Sync { name, .. } if name == ANCHOR))
}

/// A file that was never synced may have zeroes, or what others left on the disk. It is refused, and a person removes it.
fn remove_what_is_no_anchor(site: &Site, url: &DatabaseUrl, anchors: &[PathBuf]) {
    let found = fs::read(site.path(ANCHOR)).unwrap_or_default();
    if !found.is_empty() && !found.starts_with(b"signwave/anchor/") {
        let opened = open_with(url, anchors).map(drop);
        assert!(matches!(opened, Err(StoreError::BadAnchor(_))), "{opened:?}");
        fs::remove_file(site.path(ANCHOR)).unwrap();
    }
}

/// What anybody could see at the end of the events: all that was committed when a writer last let go.
fn shown(events: &[Event]) -> Shown {
    let last = events.iter().rposition(|event| matches!(event, Event::Shown)).unwrap_or(0);
    after(&events[..last], Fate::Kept)
}

/// What there is to be seen after the events, with that `fate` of what was not synced.
fn after(events: &[Event], fate: Fate) -> Shown {
    let (mut disk, site) = (Disk::default(), Site::empty());
    events.iter().for_each(|event| disk.apply(event));
    disk.image(|_| fate, &mut Random::seeded(0), site.folder());
    look(&site)
}

/// Reads with plain SQL.
fn look(site: &Site) -> Shown {
    if !site.path("signwave.db").exists() {
        return Shown::default();
    }
    let mut sql = site.sql();
    if number(&mut sql, "SELECT count(*) FROM sqlite_master WHERE name = 'signature'") == 0 {
        return Shown::default();
    }
    Shown {
        records: blobs(&mut sql, "SELECT id, payload AS value FROM record"),
        keys: blobs(&mut sql, "SELECT id, sealed_key AS value FROM signing_key"),
        signatures: signatures(&mut sql),
    }
}

impl Shown {
    fn holds(&self, before: &Self) {
        let tables = [
            ("record", &self.records, &before.records),
            ("key", &self.keys, &before.keys),
            ("signature of record", &self.signatures, &before.signatures),
        ];
        for (what, now, before) in tables {
            for (id, value) in before {
                assert!(
                    now.get(id) == Some(value),
                    "{what} {id} was shown before, and is not there any more"
                );
            }
        }
    }
}

/// What a process prints that it did has been shown by then.
fn nothing_is_said_before_it_is_shown(events: &[Event]) {
    let (mut records, mut signatures) = (0, 0);
    for (i, event) in events.iter().enumerate() {
        let Event::Said { text } = event else { continue };
        let number_after = |word: &str| -> Option<usize> {
            text.split_once(word)?.1.split_whitespace().next()?.parse().ok()
        };
        records += number_after(" keys and ").unwrap_or(0);
        signatures += if text.starts_with("signed ") { number_after("signed ").unwrap() } else { 0 };
        let shown = shown(&events[..i]);
        assert!(shown.records.len() >= records && shown.signatures.len() >= signatures, "too early: {text}");
    }
    assert!(records == 760 && signatures > 600, "it said so: {records}, {signatures}");
}

/// The database is whole, and so are the keys. An anchor knows all that was signed, and nothing else.
fn check(site: &Site, url: &DatabaseUrl, anchors: &[PathBuf]) {
    let store = store::open(url).unwrap();
    let is_begun = |path: &&PathBuf| fs::read(path).is_ok_and(|bytes| bytes.contains(&b'\n'));
    let begun: Vec<_> =
        anchors.iter().filter(is_begun).map(|path| Anchor::open(&path.as_path().into()).unwrap()).collect();
    let report = audit::check_all(&*store, Engine::default(), 1, begun, &|_| ()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    if !anchors.is_empty() {
        let last = "SELECT coalesce(max(seq), 0) FROM receipt WHERE batch_id IS NOT NULL";
        let last = number(&mut site.sql(), last) as u64;
        assert!(report.ledger.anchored.unwrap_or(0) >= last, "{report:?}");
    }
    for key in store.keys().unwrap() {
        let master = MasterKey::read(&site.path("signwave.db.master")).unwrap();
        let stored = store.stored_key(key.id).unwrap().unwrap();
        Keyring::new(Engine::default(), master).open(&stored).unwrap();
    }
}

/// Signs what is waiting; returns whether a dead node's lease had to run out, whose lock file is lost.
fn finish(site: &Site, url: &DatabaseUrl, anchors: &[PathBuf]) -> bool {
    let settings = Settings { batch_size: 50, signers: 1, ..Settings::default() };
    let drain = || {
        let master = MasterKey::read(&site.path("signwave.db.master"));
        let keyring =
            Arc::new(Keyring::new(Engine::default(), master.unwrap_or_else(|_| MasterKey::generate())));
        let store = open_with(url, anchors).unwrap();
        let run = actors::run(Parts::new(settings.clone(), keyring, Mode::Drain), store);
        actix_rt::System::new().block_on(run).unwrap()
    };
    match drain() {
        Ending::Drained { held_elsewhere: 0 } => false,
        _ => {
            let_leases_run_out(site);
            assert_eq!(drain(), Ending::Drained { held_elsewhere: 0 });
            true
        }
    }
}

fn finish_with_binary(site: &Site, anchors: &[PathBuf]) -> bool {
    site.ok(&["verify"]);
    let anchor = if anchors.is_empty() { &[][..] } else { &["--anchor", ANCHOR] };
    let sign = [&["sign", "--json"], anchor].concat();
    let signed = site.ok(&sign).stdout;
    // One that held nothing is left behind, too.
    let waited = !String::from_utf8_lossy(&signed).contains("\"held_elsewhere\": 0")
        || number(&mut site.sql(), "SELECT count(*) FROM node") > 0;
    if waited {
        let_leases_run_out(site);
        site.ok(&sign);
    }
    site.check_all_signed();
    waited
}

fn let_leases_run_out(site: &Site) {
    let hour_ago = "UPDATE node SET lease_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-3600 seconds')";
    site.sql().batch_execute(hour_ago).unwrap();
}
