//! What anchors remember, and what a database must have.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use signwave::anchors::{AnchorError, Anchors, Missing, Past, Standing};

use crate::ledger::{Ledger, open, open_all, origin, try_open};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anchor");
    (folder, path)
}

#[test]
fn a_database_that_went_back_is_behind_its_anchor_at_every_size() {
    let (_folder, path) = folder();
    let mut ledger = Ledger::default();
    let anchors = open(&path);
    for size in 0..20 {
        assert_eq!(ledger.receipts.len(), size);
        for earlier in 0..size {
            let Standing::Behind { anchored, found } = ledger.back(earlier).compare(&anchors) else {
                panic!("{earlier} of {size} stands")
            };
            assert_eq!((anchored, found.size), (ledger.head(), earlier as u64));
        }
        ledger.commit(&anchors, 1);
    }
    drop(anchors);
    let anchors = open(&path);
    assert_eq!(anchors.known(), [ledger.head()]);
    assert!(matches!(ledger.back(19).compare(&anchors), Standing::Behind { .. }));
    ledger.commit(&anchors, 3);
}

#[test]
fn a_database_of_another_history_is_another_however_long_it_is() {
    let (_folder, path) = folder();
    let mut ledger = Ledger::of(5);
    let anchors = open(&path);
    ledger.commit(&anchors, 5);
    for fork in 0..10 {
        let mut other = Ledger { timeline: 1, ..ledger.back(fork) };
        other.receipts.extend(other.next(10 - fork));
        for _ in 0..5 {
            let Standing::Other { anchored, found } = other.compare(&anchors) else {
                panic!("a fork at {fork} stands")
            };
            assert_eq!((anchored, found), (ledger.head(), other.root_at(10)));
            other.receipts.extend(other.next(1));
        }
    }
}

#[test]
fn what_became_of_the_last_commit_is_found_in_the_database() {
    for is_committed in [true, false] {
        for restarts in [true, false] {
            let (_folder, path) = folder();
            let mut ledger = Ledger::of(4);
            let mut anchors = open(&path);
            let (pending, receipts) = ledger.intend(&anchors, 2);
            drop(pending);
            if restarts {
                drop(anchors);
                anchors = open(&path);
            }
            assert_eq!(anchors.known(), [ledger.head()]);
            if is_committed {
                ledger.receipts.extend(receipts);
            }
            ledger.permit(&anchors).saw();
            assert_eq!(anchors.known(), [ledger.head()]);
            drop(anchors);
            let anchors = open(&path);
            assert_eq!(anchors.known(), [ledger.head()], "it was settled for good");
            assert!(matches!(ledger.back(3).compare(&anchors), Standing::Behind { .. }));
            ledger.commit(&anchors, 1);
        }
    }
}

#[test]
fn a_commit_that_still_goes_on_is_not_given_up_by_a_look_at_the_database() {
    let (_folder, path) = folder();
    let mut ledger = Ledger::of(4);
    let anchors = open(&path);
    let (pending, receipts) = ledger.intend(&anchors, 2);
    ledger.permit(&anchors).saw();
    ledger.receipts.extend(receipts);
    pending.committed();
    drop(anchors);
    assert!(matches!(ledger.back(4).compare(&open(&path)), Standing::Behind { .. }));
}

#[test]
fn a_commit_that_was_rolled_back_is_not_expected_of_the_database() {
    let (_folder, path) = folder();
    let mut ledger = Ledger::of(4);
    let anchors = open(&path);
    for _ in 0..3 {
        let (pending, _) = ledger.intend(&anchors, 7);
        pending.rolled_back();
    }
    let (pending, _) = ledger.intend(&anchors, 7);
    drop(pending);
    assert_eq!(anchors.known(), [ledger.head()]);
    ledger.commit(&anchors, 1);
    drop(anchors);
    assert_eq!(open(&path).known(), [ledger.head()]);
}

/// On PostgreSQL the next commit can be at its intent before the process has heard of the last one.
#[test]
fn the_next_commit_confirms_the_last_one() {
    for hears in [true, false] {
        let (_folder, path) = folder();
        let mut ledger = Ledger::of(4);
        let anchors = open(&path);
        let (first, receipts) = ledger.intend(&anchors, 1);
        ledger.receipts.extend(receipts);
        let (second, _) = ledger.intend(&anchors, 1);
        assert_eq!(anchors.known(), [ledger.head()]);
        if hears {
            first.committed();
        }
        assert_eq!(anchors.known(), [ledger.head()]);
        drop(second);
        drop(anchors);
        assert_eq!(open(&path).known(), [ledger.head()]);
    }
}

/// A server takes over that lacks a commit, while the old one still says that it was made.
#[test]
fn a_commit_that_only_the_old_server_has_is_missed() {
    let (_folder, path) = folder();
    let ledger = Ledger::of(4);
    let anchors = open(&path);
    let (first, _) = ledger.intend(&anchors, 1);
    let mut promoted = Ledger { timeline: 1, ..ledger.clone() };
    let (second, receipts) = promoted.intend(&anchors, 1);
    first.committed();
    promoted.receipts.extend(receipts);
    second.committed();
    assert!(matches!(promoted.compare(&anchors), Standing::Other { .. }));
    promoted.receipts.extend(promoted.next(3));
    assert!(matches!(promoted.compare(&anchors), Standing::Other { .. }));
}

#[test]
fn what_others_committed_is_remembered_when_it_was_seen() {
    let (_folder, path) = folder();
    let mut ledger = Ledger::of(4);
    let anchors = open(&path);
    ledger.commit(&anchors, 1);
    for _ in 0..3 {
        ledger.receipts.extend(ledger.next(5));
        ledger.permit(&anchors).saw();
        ledger.permit(&anchors).saw();
    }
    let seen = ledger.clone();
    ledger.receipts.extend(ledger.next(5));
    drop(anchors);
    let anchors = open(&path);
    assert_eq!(anchors.known().last(), Some(&seen.head()));
    assert!(matches!(seen.back(19).compare(&anchors), Standing::Behind { .. }));
    ledger.commit(&anchors, 1);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("S ")).count(), 3, "{text}");
    // Before each head it has all entries up to it that are no batches.
    let (mut noted, mut missing) = (Vec::<u64>::new(), vec![6, 9, 12, 15, 18, 21, 24]);
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split(' ').collect();
        let size: u64 = match fields[0] {
            "K" => {
                noted.push(fields[1].parse().unwrap());
                continue;
            }
            "S" => fields[1].parse().unwrap(),
            "H" => fields[3].parse().unwrap(),
            _ => continue,
        };
        let up_to: Vec<u64> = missing.extract_if(.., |seq| *seq <= size).collect();
        assert_eq!(std::mem::take(&mut noted), up_to);
    }
    assert!(missing.is_empty() && noted.is_empty());
}

#[test]
fn in_the_course_of_commits_the_database_is_not_asked() {
    let (_folder, path) = folder();
    let (mut ledger, anchors) = (Ledger::of(4), open(&path));
    for round in 0..9 {
        let asked = |_| -> Result<Past, u64> { Err(round) };
        let Ok(Standing::Stands(permit)) = anchors.expected().compare(ledger.head(), asked) else {
            panic!("it asked in round {round}")
        };
        ledger.timeline = round as u8; // so that no attempt is made twice
        let receipts = ledger.next(1);
        let pending = permit.intend(&receipts).unwrap();
        match round % 3 {
            0 => pending.rolled_back(),
            1 => drop(pending),
            _ => {
                ledger.receipts.extend(receipts);
                pending.committed();
            }
        }
    }
}

#[test]
fn without_files_the_process_remembers() {
    let mut ledger = Ledger::default();
    let anchors = open_all(&[]);
    ledger.commit(&anchors, 3);
    ledger.permit(&anchors).saw();
    assert!(matches!(ledger.back(2).compare(&anchors), Standing::Behind { .. }));
    let (pending, _) = ledger.intend(&anchors, 0);
    pending.committed();
    assert_eq!(anchors.known(), [ledger.head()]);
}

#[test]
fn the_database_must_have_what_any_of_several_files_knows() {
    let (folder, path) = folder();
    let [other, third] = ["other", "third"].map(|name| folder.path().join(name));
    let mut ledger = Ledger::of(4);
    ledger.commit(&open_all(&[path.clone(), other.clone()]), 2);
    let old = ledger.clone();
    ledger.commit(&open_all(&[path.clone(), third.clone()]), 2);
    let anchors = open_all(&[other.clone(), third, path.clone()]);
    assert_eq!(anchors.known(), [old.head(), ledger.head()]);
    assert!(matches!(old.compare(&anchors), Standing::Behind { .. }));
    let fork = Ledger { timeline: 1, ..ledger.back(5) };
    let fork = Ledger { receipts: [fork.receipts.clone(), fork.next(9)].concat(), timeline: 1 };
    assert!(matches!(fork.compare(&anchors), Standing::Other { .. }));
    ledger.commit(&anchors, 1);
    assert_eq!(anchors.known(), [ledger.head()]);
    drop(anchors);
    assert_eq!(open(&other).known(), [ledger.head()]);
}

#[test]
fn a_file_is_the_owners_and_one_process_has_it() {
    let (folder, path) = folder();
    let refused = |path: &PathBuf| {
        assert_eq!(try_open(path, Missing::Create).unwrap_err(), AnchorError::InUse(path.clone()));
    };
    let anchors = open(&path);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    refused(&path);
    let link = folder.path().join("link");
    fs::hard_link(&path, &link).unwrap();
    refused(&link);
    drop(anchors);
    let twice = Anchors::open(&[path.clone(), link.clone()], origin(), Missing::Create).unwrap_err();
    assert_eq!(twice, AnchorError::InUse(link));
    open(&path);
}

#[test]
fn nothing_is_committed_while_the_file_is_elsewhere() {
    let (folder, path) = folder();
    let elsewhere = folder.path().join("elsewhere");
    let mut ledger = Ledger::of(4);
    let anchors = open(&path);
    ledger.commit(&anchors, 1);
    let refused = || ledger.permit(&anchors).intend(&ledger.next(1)).map(drop).unwrap_err();
    fs::rename(&path, &elsewhere).unwrap();
    assert_eq!(refused(), AnchorError::Replaced(path.clone()));
    fs::copy(&elsewhere, &path).unwrap();
    assert_eq!(refused(), AnchorError::Replaced(path.clone()));
    fs::rename(&elsewhere, &path).unwrap();
    ledger.commit(&anchors, 1);
    drop(anchors);
    assert_eq!(open(&path).known(), [ledger.head()]);
}

/// A process that is being started has all open files for a moment.
#[test]
fn a_file_can_be_opened_again_while_processes_are_started() {
    let (_folder, path) = folder();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert!(Command::new("true").status().unwrap().success());
            }
        });
        let again = || try_open(&path, Missing::Create).map(drop);
        let all: Vec<_> = (0..200).map(|_| again()).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(all.iter().all(Result::is_ok), "{all:?}");
    });
}

#[test]
fn only_an_anchor_of_this_ledger_is_used() {
    let (folder, path) = folder();
    let refused = |missing| try_open(&path, missing).unwrap_err();
    assert_eq!(refused(Missing::Refuse), AnchorError::Missing(path.clone()));
    assert!(!path.exists(), "nothing was made");
    let nowhere = folder.path().join("nowhere/anchor");
    let error = try_open(&nowhere, Missing::Create).unwrap_err();
    assert!(matches!(error, AnchorError::Io { .. }), "{error:?}");
    for text in
        ["hello\n", "signwave/anchor/v2 signwave/0123456789abcdef/1\n", &"x".repeat(100), "signwave/ancher"]
    {
        fs::write(&path, text).unwrap();
        assert_eq!(refused(Missing::Create), AnchorError::NotAnAnchor(path.clone()), "{text}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let found = "signwave/0123456789abcdef/2";
    fs::write(&path, format!("signwave/anchor/v1 {found}\n")).unwrap();
    let expected = origin();
    let other = AnchorError::OtherOrigin { path: path.clone(), found: found.parse().unwrap(), expected };
    assert_eq!(refused(Missing::Create), other);
    let folder = folder.path().to_owned();
    let not_a_file = try_open(&folder, Missing::Create).unwrap_err();
    assert_eq!(not_a_file, AnchorError::NotAFile(folder));
}
