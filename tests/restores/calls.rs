//! 'ledger accept' and 'ledger heal' are killed at each system call with which they write, to files and to a server. The next
//! one does what is left.

use std::{fs, process::Command, sync::Mutex, thread};

use diesel::connection::SimpleConnection as _;
use signwave::store::{self, DatabaseUrl};
use support::{
    postgres::{Cluster, USER, database_of},
    process::{Running, succeed},
    random::{Random, count},
    site::Site,
    store::MINUTE,
    strace::{inject_at, most_of_a_thread, under},
    waiting::until,
};

use crate::{accepted::signed_records, healed::facts};

/// Calls that write to files, and the one that sends to a server.
const WRITES: [&str; 12] = [
    "openat",
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "fdatasync",
    "link",
    "linkat",
    "rename",
    "unlink",
    "unlinkat",
    SEND,
];
const SEND: &str = "sendto";

const ANCHOR: &str = "elsewhere.anchor";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restore {
    Accept,
    Heal,
}

/// A database that was put back, the lost one, its anchor, and bundles.
struct PutBack {
    site: Site,
    /// The databases on the server: the one that was put back, and the lost one.
    server: Option<[String; 2]>,
}

impl PutBack {
    /// Thirty records are signed. A copy was made when twenty of them were there, and ten signed, and is put back.
    fn new(on_server: bool) -> Self {
        let server = on_server.then(|| {
            let database = database_of(&Cluster::shared().database("calls")).to_owned();
            [database.clone(), database]
        });
        let mut place = Self { site: Site::empty(), server };
        place.ok(&["keys", "init-master", "master"]);
        place.ok(&["seed", "--keys", "2", "--records", "10"]);
        place.sign();
        place.ok(&["seed", "--records", "20"]);
        let old = place.keep("old");
        place.ok(&["seed", "--records", "30"]);
        place.sign();
        place.ok(&["export", "--as", "bundle", "--with-payload", "-o", "bundles.jsonl"]);
        match (&mut place.server, old) {
            (Some(databases), Some(old)) => databases[0] = old,
            _ => {
                place.close();
                fs::rename(place.site.path("signwave.db"), place.site.path("lost.db")).unwrap();
                fs::rename(place.site.path("old.db"), place.site.path("signwave.db")).unwrap();
            }
        }
        place
    }

    /// Keeps a copy of the database under this name. Returns the name on the server.
    fn keep(&self, name: &str) -> Option<String> {
        match &self.server {
            Some([database, _]) => Some(copy_on_server(database, name)),
            None => {
                self.close();
                fs::copy(self.site.path("signwave.db"), self.site.path(&format!("{name}.db"))).unwrap();
                None
            }
        }
    }

    /// Waits until the file holds all that was stored. A process may end before the log is copied into it.
    fn close(&self) {
        until("the log is gone", MINUTE, || {
            self.site.sql().batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
            !self.site.path("signwave.db-wal").exists()
        });
    }

    /// Another one of the same kind.
    fn copy(&self, number: usize) -> Self {
        let server = self
            .server
            .as_ref()
            .map(|[database, lost]| [copy_on_server(database, &number.to_string()), lost.clone()]);
        Self { site: self.site.copy(), server }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.site.command(arguments);
        if let Some([database, _]) = &self.server {
            command.env("DATABASE_URL", Cluster::shared().url(USER, database));
        }
        if !arguments.contains(&"init-master") {
            command.env("SIGNWAVE_MASTER_KEY_FILE", self.site.path("master"));
        }
        command
    }

    fn ok(&self, arguments: &[&str]) -> String {
        String::from_utf8(succeed(self.command(arguments)).stdout).unwrap()
    }

    fn sign(&self) -> String {
        let anchor = self.anchor("");
        self.ok(&["sign", "--batch-size", "5", "--signers", "1", "--prefetch", "1", "--anchor", &anchor])
    }

    /// The path of the anchor, or of a file beside it.
    fn anchor(&self, end: &str) -> String {
        self.site.path(&format!("{ANCHOR}{end}")).to_str().unwrap().to_owned()
    }

    fn restore(&self, restore: Restore) -> Command {
        let anchor = self.anchor("");
        match restore {
            Restore::Accept => {
                self.command(&["ledger", "accept", "--anchor", &anchor, "--reason", "the disk died", "--yes"])
            }
            Restore::Heal => self.command(&["ledger", "heal", "--anchor", &anchor, "--yes", "bundles.jsonl"]),
        }
    }

    /// Only what is written to the database, to its anchor and to the log; to a server, all that is sent.
    fn options(&self, call: &str) -> Vec<String> {
        let database = ["", "-wal", "-shm", "-journal"].map(|end| format!("signwave.db{end}"));
        let anchor = ["", ".new", ".1"].map(|end| format!("{ANCHOR}{end}"));
        let names = database.into_iter().chain(anchor).chain(["log".to_owned()]);
        let paths = names.map(|name| self.site.path(&name)).chain([self.site.folder().to_owned()]);
        let options = paths.flat_map(|path| ["-P".to_owned(), path.to_str().unwrap().to_owned()]);
        if call == SEND { Vec::new() } else { options.collect() }
    }

    /// Each call that a thread of an undisturbed run makes, by its name and number.
    fn calls(&self, restore: Restore) -> Vec<(&'static str, usize)> {
        let count_of = |call: &'static str| {
            let place = self.copy(0);
            let options = [vec!["-e".to_owned(), format!("trace={call}")], place.options(call)].concat();
            let command = under(&place.restore(restore), &place.site.path("trace"), &options);
            let mut running = Running::start(command, place.site.path("log"));
            assert_eq!(running.wait(MINUTE), Some(0), "{}", running.log());
            let most = most_of_a_thread(&fs::read_to_string(place.site.path("trace")).unwrap());
            place.remove();
            (1..=most.get(call).copied().unwrap_or(0)).map(move |number| (call, number))
        };
        WRITES.into_iter().flat_map(count_of).collect()
    }

    fn urls(&self) -> [DatabaseUrl; 2] {
        match &self.server {
            Some(databases) => databases
                .each_ref()
                .map(|database| DatabaseUrl::parse(&Cluster::shared().url(USER, database)).unwrap()),
            None => ["signwave.db", "lost.db"].map(|name| DatabaseUrl::Sqlite(self.site.path(name))),
        }
    }

    /// The loss is accepted once and for all.
    fn is_accepted(&self) {
        self.ok(&["seed", "--records", "32"]);
        let signed = self.sign();
        assert!(signed.starts_with("signed 12 records"), "{signed}");
        let store = store::open_to_read(&self.urls()[0]).unwrap();
        assert_eq!(store.ledger().unwrap().origin.incarnation.get(), 2);
        let signed = signed_records(&*store);
        let (before, after): (Vec<_>, Vec<_>) =
            signed.iter().map(|id| id.0).partition(|id| *id <= 1_000_000_000);
        assert_eq!(
            (before, after.len()),
            ((1..=10).collect(), 12),
            "nothing that was lost is signed, and no id is used twice"
        );
        let verified = self.ok(&["verify", "--anchor", &self.anchor(""), "--anchor", &self.anchor(".1")]);
        assert!(verified.contains("problems    none"), "{verified}");
    }

    /// The database is the lost one again.
    fn is_healed(&self) {
        let [now, had] = self.urls().map(|url| facts(&*store::open(&url).unwrap()));
        if self.server.is_some() {
            assert_eq!(now.without_feed(), had.without_feed())
        } else {
            assert_eq!(now, had)
        }
        let verified = self.ok(&["verify", "--anchor", &self.anchor("")]);
        assert!(verified.contains("problems    none"), "{verified}");
    }

    fn remove(&self) {
        if let Some([database, _]) = &self.server {
            let drop = format!("DROP DATABASE {database} WITH (FORCE)");
            Cluster::shared().admin("postgres").batch_execute(&drop).unwrap();
        }
    }
}

/// A copy of a database on the server. Returns its name.
fn copy_on_server(database: &str, name: &str) -> String {
    let copy = format!("{database}_{name}");
    Cluster::shared().copy(database, &copy);
    copy
}

/// Kills the command at a call, and runs it again. Returns whether it was killed.
fn kill(start: &PutBack, restore: Restore, number: usize, (call, at): (&str, usize)) -> bool {
    let place = start.copy(number);
    let options = [inject_at(call, &at.to_string(), "signal=KILL").to_vec(), place.options(call)].concat();
    let command = under(&place.restore(restore), &place.site.path("trace"), &options);
    let mut running = Running::start(command, place.site.path("log"));
    let code = running.wait(MINUTE);
    assert!(matches!(code, None | Some(0)), "{call} {at}: {}", running.log());
    let again = place.restore(restore).output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr);
    let is_done = restore == Restore::Accept && said.contains("nothing is lost");
    assert!(again.status.success() || is_done, "{call} {at}: {said}");
    match restore {
        Restore::Accept => place.is_accepted(),
        Restore::Heal => place.is_healed(),
    }
    place.remove();
    code.is_none()
}

/// Kills at so many calls, in the order of chance, or at all.
fn kill_at_calls(restore: Restore, on_server: bool) {
    let (wanted, mut random) = (count("TEST_CALLS", 4), Random::new());
    let start = PutBack::new(on_server);
    let mut calls = start.calls(restore);
    let all = calls.len();
    let mut chosen = Vec::new();
    while chosen.len() < wanted && !calls.is_empty() {
        chosen.push(calls.swap_remove(random.below(calls.len() as u64) as usize));
    }
    let (queue, killed) = (Mutex::new(chosen.iter().copied().enumerate()), Mutex::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let next = || queue.lock().unwrap().next();
                while let Some((number, call)) = next() {
                    let was_killed = kill(&start, restore, number + 1, call);
                    *killed.lock().unwrap() += usize::from(was_killed);
                }
            });
        }
    });
    let killed = killed.into_inner().unwrap();
    println!("measured: {restore:?} killed {killed} times at {} of {all} calls that write", chosen.len());
    assert!(killed > 0, "this proves nothing");
}

#[test]
fn an_acceptance_that_is_killed_at_any_write_is_finished_by_the_next() {
    kill_at_calls(Restore::Accept, false);
}

#[test]
fn an_acceptance_on_a_server_that_is_killed_at_any_write_is_finished_by_the_next() {
    kill_at_calls(Restore::Accept, true);
}

#[test]
fn a_heal_that_is_killed_at_any_write_is_finished_by_the_next() {
    kill_at_calls(Restore::Heal, false);
}

#[test]
fn a_heal_on_a_server_that_is_killed_at_any_write_is_finished_by_the_next() {
    kill_at_calls(Restore::Heal, true);
}
