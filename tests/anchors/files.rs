//! What is particular about anchors in files.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use signwave::anchors::{AnchorError, Anchors, Missing};

use crate::ledger::{Ledger, open, origin, try_open};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anchor");
    (folder, path)
}

#[test]
fn a_file_is_the_owners_and_one_process_has_it() {
    let (folder, path) = folder();
    let refused = |path: &PathBuf| {
        assert_eq!(try_open(path, Missing::Create).unwrap_err(), AnchorError::InUse(path.as_path().into()));
    };
    let anchors = open(&path);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    refused(&path);
    let link = folder.path().join("link");
    fs::hard_link(&path, &link).unwrap();
    refused(&link);
    drop(anchors);
    let twice = Anchors::open(&[&path, &link].map(|path| path.as_path().into()), origin(), Missing::Create)
        .unwrap_err();
    assert_eq!(twice, AnchorError::InUse(link.into()));
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
    assert_eq!(refused(), AnchorError::Replaced(path.as_path().into()));
    fs::copy(&elsewhere, &path).unwrap();
    assert_eq!(refused(), AnchorError::Replaced(path.as_path().into()));
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
    assert_eq!(refused(Missing::Refuse), AnchorError::Missing(path.as_path().into()));
    assert!(!path.exists(), "nothing was made");
    let nowhere = folder.path().join("nowhere/anchor");
    let error = try_open(&nowhere, Missing::Create).unwrap_err();
    assert!(matches!(error, AnchorError::Io { .. }), "{error:?}");
    for text in
        ["hello\n", "signwave/anchor/v2 signwave/0123456789abcdef/1\n", &"x".repeat(100), "signwave/ancher"]
    {
        fs::write(&path, text).unwrap();
        assert_eq!(refused(Missing::Create), AnchorError::NotAnAnchor(path.as_path().into()), "{text}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let found = "signwave/0123456789abcdef/2";
    fs::write(&path, format!("signwave/anchor/v1 {found}\n")).unwrap();
    let expected = origin();
    let other =
        AnchorError::OtherOrigin { anchor: path.as_path().into(), found: found.parse().unwrap(), expected };
    assert_eq!(refused(Missing::Create), other);
    let folder = folder.path().to_owned();
    let not_a_file = try_open(&folder, Missing::Create).unwrap_err();
    assert_eq!(not_a_file, AnchorError::NotAFile(folder.into()));
}
