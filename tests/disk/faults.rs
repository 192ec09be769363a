//! Every system call between a waiting record and its stored signature fails once: with an I/O error,
//! with a full disk, with the end of the process.

use std::{collections::BTreeMap, fs, sync::Mutex, thread, time::Duration};
use support::{
    process::Running,
    random::{Random, count},
    site::{Site, number, signatures},
    strace::{inject_at, most_of_a_thread, under},
    waiting::until,
};

use crate::Named;

const RECORDS: usize = 24;
const SIGN: &[&str] =
    &["sign", "--batch-size", "4", "--signers", "1", "--prefetch", "1", "--node-name", "injected"];

/// The same with an anchor.
const SIGN_ANCHORED: &[&str] = &[
    "sign",
    "--batch-size",
    "4",
    "--signers",
    "1",
    "--prefetch",
    "1",
    "--node-name",
    "injected",
    "--anchor",
    ANCHOR,
];

const ANCHOR: &str = "elsewhere.anchor";

/// Within this every run must end. SQLite waits for ten seconds, again and again, for a lock that it could
/// not let go of.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a call is made to do instead.
const FAULTS: [&str; 3] = ["error=EIO", "error=ENOSPC", "signal=KILL"];

/// Calls that name no file: a process can only be killed at them.
const ELSEWHERE: [&str; 3] = ["clone3", "futex", "munmap"];

/// Something that happens to a `call` of a thread, the first or the twentieth (`20`), or to all from the
/// twentieth on (`20+`), in a run of `sign` that starts where the site `start` is.
#[derive(Clone, Debug)]
struct Injection {
    sign: &'static [&'static str],
    /// Whether only calls on the anchor are counted.
    on_anchor: bool,
    start: usize,
    call: String,
    when: String,
    fault: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    Finished,
    Failed,
    Killed,
}

#[derive(Default)]
struct Tally {
    injected: usize,
    ends: BTreeMap<Ended, usize>,
    calls: BTreeMap<String, usize>,
    shown: usize,
    on_anchor: usize,
    never_fired: usize,
}

#[test]
fn whichever_system_call_fails_nothing_is_lost_or_signed_twice() {
    inject_many(count("TEST_INJECTIONS", 40), SIGN);
}

#[test]
fn whichever_system_call_fails_an_anchor_takes_no_database_for_an_older_one() {
    inject_many(count("TEST_INJECTIONS", 30), SIGN_ANCHORED);
}

/// Lets so many calls of runs of `sign` fail.
fn inject_many(wanted: usize, sign: &'static [&'static str]) {
    let mut random = Random::new();
    let starts = [at_rest(), killed_before(sign)];
    let queue = Mutex::new(plan(&starts, sign, &mut random).into_iter());
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while tally.lock().unwrap().injected < wanted {
                    let Some(injection) = queue.lock().unwrap().next() else { break };
                    let done = inject(&starts[injection.start], &injection);
                    tally.lock().unwrap().add(&injection, done);
                }
            });
        }
    });
    let Tally { injected, ends, calls, shown, on_anchor, never_fired } = tally.into_inner().unwrap();
    let [finished, failed, killed] =
        [Ended::Finished, Ended::Failed, Ended::Killed].map(|end| *ends.get(&end).unwrap_or(&0));
    println!("{calls:?}; {never_fired} more came too late to happen");
    println!(
        "measured: {injected} injections into {} system calls, {on_anchor} of them on an anchor: {finished} runs finished, \
         {failed} ended with an error, {killed} were killed; {shown} signatures shown before stayed as they were",
        calls.len()
    );
    assert!(injected >= wanted, "there are no more calls than that");
    assert!(finished > 0 && failed > 0 && killed > 0 && shown > 0, "this proves nothing");
    assert_eq!(on_anchor > 0, sign.contains(&ANCHOR), "this proves nothing");
}

#[test]
fn a_disk_that_fails_for_good_ends_a_run_with_an_error() {
    let start = at_rest();
    let fails = |call: &str, from: usize| Injection {
        sign: SIGN,
        on_anchor: false,
        start: 0,
        call: call.to_owned(),
        when: format!("{from}+"),
        fault: "error=EIO",
    };
    let injections = [1, 14, 20, 26, 60].map(|from| fails("pwrite64", from)).into_iter();
    let injections = injections.chain([1, 2, 3, 5].map(|from| fails("fsync", from)));
    let injections = injections.chain([5, 30].map(|from| fails("pread64", from)));
    thread::scope(|scope| {
        for injection in injections {
            let start = &start;
            scope.spawn(move || {
                assert_eq!(inject(start, &injection).unwrap().0, Ended::Failed, "{injection:?}");
            });
        }
    });
}

impl Tally {
    fn add(&mut self, injection: &Injection, done: Option<(Ended, usize)>) {
        let Some((ended, shown)) = done else {
            self.never_fired += 1;
            return;
        };
        self.injected += 1;
        self.shown += shown;
        self.on_anchor += usize::from(injection.on_anchor);
        *self.ends.entry(ended).or_default() += 1;
        *self.calls.entry(injection.call.clone()).or_default() += 1;
    }
}

/// A database that was closed in order.
fn at_rest() -> Site {
    Site::new(2, 2048, RECORDS as u32)
}

/// A database whose process was killed at work: a write-ahead log to recover, batches to take back. Which writes happen
/// while a batch is leased depends on what is stored.
fn killed_before(sign: &[&str]) -> Site {
    let mut writes = (50..90).step_by(4);
    writes.find_map(|write| killed_at(write, sign)).expect("some batch is leased at one of these writes")
}

/// A database whose process was killed at its write of this number, if that was between a lease and a commit.
fn killed_at(write: u32, sign: &[&str]) -> Option<Site> {
    let site = at_rest();
    let options =
        files_of(&site, false).into_iter().chain(inject_at("pwrite64", &write.to_string(), "signal=KILL"));
    let command = under(&site.command(sign), &site.path("trace"), &options.collect::<Vec<_>>());
    let mut process = Running::start(command, site.path("log"));
    assert_eq!(process.wait(PATIENCE), None, "{}", process.log());
    let found = site.copy();
    let mut sql = found.sql();
    assert!(found.path("signwave.db-wal").exists());
    let leased = number(&mut sql, "SELECT count(*) FROM batch WHERE state = 'leased'");
    let signatures = number(&mut sql, "SELECT count(*) FROM signature");
    (leased > 0 && (1..RECORDS as i64).contains(&signatures)).then_some(site)
}

/// Every call of every kind, each group of one call and one fault in turn; with an anchor, those on it in groups of their own.
fn plan(starts: &[Site], sign: &'static [&'static str], random: &mut Random) -> Vec<Injection> {
    let mut groups = BTreeMap::<_, Vec<Injection>>::new();
    let files: &[_] = if sign.contains(&ANCHOR) { &[false, true] } else { &[false] };
    for (start, site) in starts.iter().enumerate() {
        for &on_anchor in files {
            for (call, numbers, faults) in calls_of_a_run(site, sign, on_anchor) {
                for &fault in faults {
                    let group = groups.entry((call.clone(), fault, on_anchor)).or_default();
                    group.extend((1..=numbers).map(|number| Injection {
                        sign,
                        on_anchor,
                        start,
                        call: call.clone(),
                        when: number.to_string(),
                        fault,
                    }));
                }
            }
        }
    }
    let mut ranked: Vec<_> = groups
        .into_values()
        .flat_map(|group| shuffled(group, random).into_iter().enumerate().collect::<Vec<_>>())
        .collect();
    ranked = shuffled(ranked, random);
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, injection)| injection).collect()
}

fn shuffled<T>(mut things: Vec<T>, random: &mut Random) -> Vec<T> {
    for last in (1..things.len()).rev() {
        things.swap(last, random.below(last as u64 + 1) as usize);
    }
    things
}

/// The calls of an undisturbed run, how often at most a thread makes them, and how they may fail.
fn calls_of_a_run(
    start: &Site,
    sign: &[&str],
    on_anchor: bool,
) -> Vec<(String, usize, &'static [&'static str])> {
    let observed = |options: &dyn Fn(&Site) -> Vec<String>| {
        let site = start.copy();
        let command = under(&site.command(sign), &site.path("trace"), &options(&site));
        let mut process = Running::start(command, site.path("log"));
        assert_eq!(process.wait(PATIENCE), Some(0), "{}", process.log());
        most_of_a_thread(&fs::read_to_string(site.path("trace")).unwrap())
    };
    let files = observed(&|site| files_of(site, on_anchor));
    let elsewhere =
        if on_anchor { BTreeMap::new() } else { observed(&|_| vec!["-e".to_owned(), ELSEWHERE.join(",")]) };
    // Rust's start-up asks for the state of the standard streams, and aborts where that fails.
    let files =
        files.into_iter().filter(|(name, _)| name != "poll").map(|(name, most)| (name, most, &FAULTS[..]));
    files.chain(elsewhere.into_iter().map(|(name, most)| (name, most, &FAULTS[2..]))).collect()
}

/// Only calls that have to do with the database, what lies beside it, and what is printed; or with the anchor.
fn files_of(site: &Site, on_anchor: bool) -> Vec<String> {
    // A path that is an argument is compared as it is, and that of an open file as a whole.
    let anchor = [ANCHOR.to_owned(), site.path(ANCHOR).to_str().unwrap().to_owned()];
    let fixed = ["", "-wal", "-shm", "-journal", ".master"].map(|end| format!("signwave.db{end}"));
    let locks = (1..20).map(|node| format!("signwave.db.node-{node}.lock"));
    let names = fixed.into_iter().chain(locks).chain(["log".to_owned(), String::new()]);
    let folder = site.folder().to_owned();
    let paths = names.map(move |name| folder.join(name).to_str().unwrap().trim_end_matches('/').to_owned());
    let paths: Vec<_> = if on_anchor { anchor.into() } else { paths.collect() };
    paths.into_iter().flat_map(|path| ["-P".to_owned(), path]).collect()
}

/// Signs with a fault, then without. Returns how the first run ended, and how many signatures it left for
/// all to see; `None` when it never came to the fault.
fn inject(start: &Site, injection: &Injection) -> Option<(Ended, usize)> {
    let Injection { sign, on_anchor, call, when, fault, .. } = injection;
    let _named = Named(format!("{injection:?}"));
    let site = start.copy();
    let mut options: Vec<_> = inject_at(call, when, fault).into();
    if !ELSEWHERE.contains(&call.as_str()) {
        options.extend(files_of(&site, *on_anchor));
    }
    let command = under(&site.command(sign), &site.path("trace"), &options);
    let mut process = Running::start(command, site.path("log"));
    // A reader keeps the log of the database from being removed at the end: with it, and without.
    let seen = if when.ends_with('3') { watch(&site, &mut process) } else { BTreeMap::new() };
    let code = process.wait(PATIENCE);
    let log = process.log();
    let ended = judge(code, fault, &log).unwrap_or_else(|error| panic!("{error}: {log}"));
    if ended != Ended::Killed && !fs::read_to_string(site.path("trace")).unwrap().contains("(INJECTED)") {
        assert_eq!(ended, Ended::Finished, "nothing happened to it: {log}");
        return None;
    }

    // What anybody may have read by now, looked at without touching what the process left behind.
    let found = site.copy();
    let shown = found.signatures();
    if sign.contains(&ANCHOR) {
        all_signed_is_anchored(&found);
    }
    if ended == Ended::Finished && !log.contains("other processes are signing") {
        assert_eq!(shown.len(), RECORDS, "it said that all is done: {log}");
    }
    site.ok(sign);
    site.check_all_signed();
    if sign.contains(&ANCHOR) {
        all_signed_is_anchored(&site);
    }
    let stored = site.signatures();
    assert_eq!(stored.len(), RECORDS);
    for (record, value) in seen.iter().chain(&shown) {
        assert!(stored.get(record) == Some(value), "record {record} was signed again");
    }
    Some((ended, shown.len()))
}

/// The anchor knows the entry of each signed batch, and nothing that the database has not.
fn all_signed_is_anchored(site: &Site) {
    let last =
        number(&mut site.sql(), "SELECT coalesce(max(seq), 0) FROM receipt WHERE batch_id IS NOT NULL");
    if !fs::read_to_string(site.path(ANCHOR)).unwrap_or_default().contains('\n') {
        assert_eq!(last, 0, "its first line is not complete");
        return;
    }
    let report = site.ok(&["verify", "--json", "--anchor", ANCHOR]).stdout;
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert!(report["ledger"]["anchored"].as_i64().unwrap() >= last, "{report}");
}

/// A process ends well, with an error that it names, or because it was killed.
fn judge(code: Option<i32>, fault: &str, log: &str) -> Result<Ended, String> {
    if log.contains("panicked") {
        return Err("it panicked".to_owned());
    }
    match code {
        Some(0) if log.lines().any(|line| line.starts_with("signed ")) => Ok(Ended::Finished),
        Some(1) if log.lines().any(|line| line.starts_with("signwave: ")) => Ok(Ended::Failed),
        None if fault == "signal=KILL" => Ok(Ended::Killed),
        _ => Err(format!("it ended with {code:?}")),
    }
}

/// What a reader sees while the process is at work: each signature as it was when first seen.
fn watch(site: &Site, process: &mut Running) -> BTreeMap<i64, Vec<u8>> {
    let (mut sql, mut seen) = (site.sql(), BTreeMap::new());
    until("the process ends", PATIENCE, || {
        for (record, value) in signatures(&mut sql) {
            assert!(*seen.entry(record).or_insert_with(|| value.clone()) == value, "record {record} changed");
        }
        !process.is_running()
    });
    seen
}
