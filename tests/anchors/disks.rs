//! Disks that are full or broken, for real: each in a process of its own, which is this program once more.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signwave::anchors::{self, AnchorAddress, AnchorError, Passage};
use support::waiting::until;

use crate::ledger::{Ledger, open, open_all};

/// Where the child works.
const FOLDER: &str = "SIGNWAVE_TEST_FOLDER";

/// A shell command that runs an ignored test of this program. `$0` is the program with its arguments.
fn child(script: &str, test: &str, folder: &Path) -> Command {
    let program = env::current_exe().unwrap();
    let program = format!("'{}' --exact disks::{test} --ignored --nocapture", program.display());
    let mut command = Command::new("unshare");
    command
        .args(["-rm", "sh", "-c", &script.replace("$0", &program)])
        .current_dir(folder)
        .env(FOLDER, folder);
    command
}

fn passes(mut command: Command) -> bool {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    output.status.success() && said.contains("1 passed")
}

/// A disk of 64 KiB, most of which another file takes.
const SMALL_DISK: &str =
    "mkdir disk && mount -t tmpfs -o size=64k tmpfs disk && head -c 45000 /dev/zero >disk/filler; exec $0";

/// No file may be longer than 20 KB.
const SMALL_FILES: &str = "mkdir disk; trap '' XFSZ; ulimit -S -f 40; exec $0";

#[test]
fn nothing_is_committed_on_a_full_disk_and_it_goes_on_when_there_is_room() {
    let mount = "mkdir disk && mount -t tmpfs tmpfs disk && umount disk";
    let can_mount = Command::new("unshare")
        .args(["-rm", "sh", "-c", mount])
        .current_dir(tempfile::tempdir().unwrap().path())
        .status();
    let places = if can_mount.unwrap().success() { &[SMALL_DISK, SMALL_FILES][..] } else { &[SMALL_FILES] };
    for place in places {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            passes(child(place, "commits_until_there_is_no_room_and_then_again", folder.path())),
            "{place}"
        );
    }
}

#[test]
#[ignore = "run by nothing_is_committed_on_a_full_disk_and_it_goes_on_when_there_is_room"]
fn commits_until_there_is_no_room_and_then_again() {
    let folder = PathBuf::from(env::var_os(FOLDER).unwrap());
    let (path, filler, other) =
        (folder.join("disk/anchor"), folder.join("disk/filler"), folder.join("other"));
    let paths = [other.clone(), path.clone()];
    let addresses = paths.clone().map(AnchorAddress::from);
    let mut ledger = Ledger::default();
    let anchors = open_all(&addresses);
    let mut failures = 0;
    while failures < 5 {
        let receipts = ledger.next(7);
        match ledger.permit(&anchors).intend(&receipts) {
            Ok(pending) => {
                assert_eq!(failures, 0, "there was no room");
                ledger.receipts.extend(receipts);
                pending.committed();
            }
            Err(error) => {
                let is_full = error == AnchorError::Full(path.as_path().into());
                assert!(
                    is_full || !filler.exists() && error.to_string().contains("File too large"),
                    "{error}"
                );
                assert!(error.is_transient());
                failures += 1;
            }
        }
    }
    assert!(ledger.receipts.len() > 20);
    if filler.exists() {
        let text = fs::read_to_string(&other).unwrap();
        let told = text.lines().filter(|line| line.starts_with("X ")).count();
        assert_eq!(told, failures, "the file that has room says that nothing came of it");
    }
    assert_eq!(anchors.known(), [ledger.head()]);
    // A process that starts now, and one that starts when there is room, know the same.
    drop(anchors);
    let anchors = open_all(&addresses);
    assert_eq!(anchors.known(), [ledger.head()]);
    ledger.permit(&anchors).intend(&ledger.next(7)).unwrap_err();
    let _ = fs::remove_file(&filler);
    let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: maximum, maximum }).unwrap();
    for _ in 0..5 {
        ledger.commit(&anchors, 7);
    }
    drop(anchors);
    for path in paths {
        says_what_was_committed(&path, &ledger);
    }
}

/// Every entry of the ledger is in attempts that were made or may have been, once in one that was.
fn says_what_was_committed(path: &Path, ledger: &Ledger) {
    assert_eq!(open(path).known(), [ledger.head()]);
    let mut next = 0;
    for passage in anchors::read(&path.into()).unwrap() {
        match passage.unwrap() {
            Passage::Attempt(attempt) if attempt.outcome == anchors::Outcome::Committed => {
                assert_eq!(attempt.previous.size, next);
                next = attempt.next.size;
                assert_eq!(ledger.root_at(next), Some(attempt.next.root));
            }
            _ => {}
        }
    }
    assert_eq!(next, ledger.head().size);
}

/// Which calls fail, how, and which of them by number.
type Failing = Vec<(&'static str, &'static str, &'static str)>;

#[test]
fn after_any_failed_call_the_file_says_what_was_committed() {
    let calls = [("fdatasync", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC")];
    let single =
        calls.iter().flat_map(|(call, error)| ["2", "4", "5"].map(|when| vec![(*call, *error, when)]));
    // The repair fails, too. The first two are calls of the opening.
    let repairs =
        ["ftruncate", "fsync"].map(|call| vec![("fdatasync", "EIO", "2..6+2"), (call, "EIO", "3..7+2")]);
    let failing: Vec<Failing> = single.chain(repairs).collect();
    thread::scope(|scope| {
        for failing in &failing {
            scope.spawn(move || fails(failing));
        }
    });
}

fn fails(failing: &Failing) {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = failing.iter().map(|(call, ..)| *call).collect();
    let inject = |(call, error, when): &_| format!("-e inject={call}:error={error}:when={when} ");
    let injections: String = failing.iter().map(inject).collect();
    let script =
        format!("exec strace -f -o trace -P \"$PWD/anchor\" -e trace={} {injections} $0", names.join(","));
    let passed = passes(child(&script, "commits_although_calls_fail", folder.path()));
    let trace = fs::read_to_string(folder.path().join("trace")).unwrap();
    let happened = failing.iter().all(|(call, ..)| {
        trace.lines().any(|line| line.contains(&format!("{call}(")) && line.contains("(INJECTED)"))
    });
    assert!(passed && happened, "{failing:?}: {trace}");
}

#[test]
#[ignore = "run by after_any_failed_call_the_file_says_what_was_committed"]
fn commits_although_calls_fail() {
    let path = PathBuf::from(env::var_os(FOLDER).unwrap()).join("anchor");
    let (anchors, mut ledger, mut failures) = (open(&path), Ledger::default(), 0);
    for round in 0..12 {
        let receipts = ledger.next(1 + round % 3);
        let Ok(pending) = ledger.permit(&anchors).intend(&receipts) else {
            failures += 1;
            continue;
        };
        ledger.receipts.extend(receipts);
        if round % 4 == 3 { drop(pending) } else { pending.committed() }
    }
    ledger.commit(&anchors, 1);
    println!("{failures} failures");
    assert!(failures < 12, "some commits go through");
    drop(anchors);
    says_what_was_committed(&path, &ledger);
}

#[test]
fn a_confirmation_is_synced_soon_though_nothing_follows() {
    let folder = tempfile::tempdir().unwrap();
    let script = "exec strace -f -o trace -P \"$PWD/anchor\" -e trace=pwrite64,fdatasync $0";
    assert!(passes(child(script, "commits_once_and_waits_for_a_sync", folder.path())));
}

#[test]
#[ignore = "run by a_confirmation_is_synced_soon_though_nothing_follows"]
fn commits_once_and_waits_for_a_sync() {
    let folder = PathBuf::from(env::var_os(FOLDER).unwrap());
    let anchors = open(&folder.join("anchor"));
    Ledger::default().commit(&anchors, 1);
    let is_synced = || {
        let trace = fs::read_to_string(folder.join("trace")).unwrap();
        trace.split_once("\"C 1\\n\"").is_some_and(|(_, rest)| rest.contains("fdatasync"))
    };
    until("the confirmation is synced", Duration::from_secs(30), is_synced);
}

#[test]
fn what_is_known_can_be_asked_while_a_disk_takes_long() {
    let folder = tempfile::tempdir().unwrap();
    let script = "exec strace -f -o trace -P \"$PWD/anchor\" -e trace=pwrite64,fdatasync \
                  -e inject=fdatasync:delay_enter=15000000:when=1 $0";
    assert!(passes(child(script, "asks_within_a_slow_sync", folder.path())));
}

#[test]
#[ignore = "run by what_is_known_can_be_asked_while_a_disk_takes_long"]
fn asks_within_a_slow_sync() {
    let folder = PathBuf::from(env::var_os(FOLDER).unwrap());
    let (anchors, is_over) = (open(&folder.join("anchor")), AtomicBool::new(false));
    let is_written = || fs::read_to_string(folder.join("trace")).unwrap().contains("\"B 1 ");
    thread::scope(|scope| {
        scope.spawn(|| {
            Ledger::default().commit(&anchors, 1);
            is_over.store(true, Ordering::Relaxed);
        });
        until("the intent is written", Duration::from_secs(30), is_written);
        assert_eq!(anchors.known(), [Ledger::default().head()]);
        assert!(!is_over.load(Ordering::Relaxed), "it waited for the disk");
    });
}
