//! What an anchor says from its beginning.

use std::{fs, path::PathBuf};

use signwave::{
    anchors::{self, AnchorError, Attempt, Intended, IntendedEntry, Outcome, Passage},
    domain::ledger::{Entry, Receipt},
};
use support::random::Random;

use crate::{
    ledger::{Ledger, open, origin},
    site::Site,
};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anchor");
    (folder, path)
}

/// Whether an entry of an anchor says the same as a receipt.
fn is_same(entry: &Intended, receipt: &Receipt) -> bool {
    let batch = match receipt.entry() {
        Entry::Batch(batch) => entry.batch().is_some_and(|found| {
            (found.id, found.epoch, found.fingerprint) == (batch.batch, batch.epoch, batch.fingerprint)
                && found.records == batch.records
        }),
        other => entry.what == IntendedEntry::Other(other.clone()),
    };
    batch && (entry.seq, entry.leaf) == (receipt.seq(), receipt.leaf())
}

pub fn every_commit_is_told_with_its_entries_and_what_became_of_it(site: &Site) {
    let (mut ledger, anchors, mut random) = (Ledger::default(), site.open(), Random::new());
    let mut told = Vec::new();
    for round in 0..60 {
        let previous = ledger.head();
        let (pending, receipts) = ledger.intend(&anchors, 1 + random.below(4) as usize);
        let outcome = random.below(4);
        if outcome < 3 {
            ledger.receipts.extend(receipts.clone());
        }
        match outcome {
            0 => pending.committed(),
            1 => drop(pending), // the next intent says it
            2 => {
                drop(pending);
                ledger.permit(&anchors).saw();
            }
            _ if round % 2 == 0 => pending.rolled_back(),
            _ => drop(pending),
        }
        told.push((previous, receipts, if outcome < 3 { Outcome::Committed } else { Outcome::RolledBack }));
    }
    ledger.commit(&anchors, 1);
    let reader = anchors::read(&site.address).unwrap();
    assert_eq!(reader.origin(), origin());
    let attempts: Vec<Attempt> = reader
        .filter_map(|passage| match passage.unwrap() {
            Passage::Attempt(attempt) => Some(attempt),
            Passage::Seen(head) => {
                assert_eq!(ledger.root_at(head.size), Some(head.root));
                None
            }
            // The outcome of its commit was unknown.
            Passage::Noted(entry) => {
                assert_eq!(ledger.receipts[entry.seq as usize - 1].leaf(), entry.leaf);
                None
            }
        })
        .collect();
    assert_eq!(attempts.len(), told.len() + 1);
    for (attempt, (previous, receipts, outcome)) in attempts.iter().zip(&told) {
        assert_eq!((attempt.previous, attempt.outcome), (*previous, *outcome));
        assert_eq!(attempt.next, receipts.last().unwrap().head());
        assert_eq!(attempt.entries.len(), receipts.len());
        assert!(attempt.entries.iter().zip(receipts).all(|(entry, receipt)| is_same(entry, receipt)));
    }
}

#[test]
fn the_last_commit_may_be_undecided_and_what_is_incomplete_is_left_out() {
    let (_folder, path) = folder();
    let anchors = open(&path);
    let (pending, receipts) = Ledger::of(3).intend(&anchors, 2);
    drop(pending);
    drop(anchors);
    let content = fs::read(&path).unwrap();
    let passages = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        anchors::read(&path.as_path().into()).unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    let [Passage::Attempt(attempt)] = &passages(&content)[..] else { panic!("one attempt") };
    assert_eq!((attempt.outcome, attempt.next), (Outcome::Undecided, receipts[1].head()));
    let header = content.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in header..content.len() {
        assert_eq!(passages(&content[..length]), []);
    }
    fs::write(&path, &content[..header - 1]).unwrap();
    assert_eq!(
        anchors::read(&path.as_path().into()).err(),
        Some(AnchorError::NotAnAnchor(path.as_path().into()))
    );
}

#[test]
fn a_line_that_cannot_be_where_it_is_ends_the_reading() {
    let (_folder, path) = folder();
    let (mut ledger, anchors) = (Ledger::default(), open(&path));
    for _ in 0..3 {
        ledger.commit(&anchors, 3);
    }
    drop(anchors);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let is_read = |lines: &[&str]| {
        fs::write(&path, lines.concat()).unwrap();
        let Ok(reader) = anchors::read(&path.as_path().into()) else { return false };
        let all: Vec<_> = reader.collect();
        assert!(all.iter().rev().skip(1).all(Result::is_ok), "an error is the last that is said");
        all.iter().all(Result::is_ok)
    };
    assert!(is_read(&lines));
    let mut refused = 0;
    for at in 1..lines.len() {
        let (mut without, mut twice, mut spoiled) = (lines.clone(), lines.clone(), lines.clone());
        without.remove(at);
        twice.insert(at, lines[at]);
        spoiled[at] = "?\n";
        // A confirmation may be missing, and a malformed last line was never synced.
        let may_be_missing = lines[at].starts_with("C ");
        assert_eq!(is_read(&without), may_be_missing, "without {}", lines[at]);
        assert!(!is_read(&twice), "{} twice", lines[at]);
        assert_eq!(is_read(&spoiled), at == lines.len() - 1, "{} spoiled", lines[at]);
        refused += 1;
    }
    assert_eq!(refused, 15, "all lines but the first");
}
