//! Somebody who holds the database rewrites it, and recomputes every hash in it.

use std::path::Path;

use signwave::{
    anchors::{self, Anchors, Claim, Standing},
    domain::{
        BatchId, Epoch, Fingerprint, RecordId, Scheme, Time,
        ledger::{Edge, Entry, KeyChange, Receipt, leaf_hash},
    },
};
use support::random::{Random, count};

use crate::ledger::{Ledger, open};

/// A ledger that two nodes wrote in turns, each with its own anchor.
fn signed_by_two(paths: [&Path; 2], commits: usize, random: &mut Random) -> (Ledger, [Anchors; 2]) {
    let (mut ledger, nodes) = (Ledger::default(), paths.map(open));
    for _ in 0..commits {
        let node = &nodes[random.below(2) as usize];
        let (pending, receipts) = ledger.intend(node, 1 + random.below(3) as usize);
        match random.below(4) {
            0 => pending.rolled_back(),
            1 => drop(pending),
            _ => {
                ledger.receipts.extend(receipts);
                pending.committed();
            }
        }
    }
    nodes.iter().for_each(|node| ledger.permit(node).saw());
    (ledger, nodes)
}

/// The same receipts up to `from`, and then these entries.
fn with_entries(ledger: &Ledger, from: usize, entries: Vec<Entry>) -> Ledger {
    let mut edge: Edge = ledger.receipts[..from].iter().map(Receipt::leaf).collect();
    let new = entries.into_iter().map(|entry| Receipt::new(&mut edge, entry));
    Ledger { receipts: ledger.receipts[..from].iter().cloned().chain(new).collect(), ..*ledger }
}

/// Another entry that differs in one field.
fn changed(entry: &Entry, random: &mut Random) -> Entry {
    let mut entry = entry.clone();
    match &mut entry {
        Entry::Batch(batch) => match random.below(7) {
            0 => batch.batch = BatchId(batch.batch.0 + 1),
            1 => batch.records = batch.records.iter().chain([RecordId(1 << 40)]).collect(),
            2 => batch.epoch = Epoch(batch.epoch.0 + 1),
            3 => batch.scheme = Scheme::Rs256,
            4 => batch.fingerprint = Fingerprint([9; 32]),
            5 => batch.signed_at = Time::from_millis(random.below(1 << 40) + 1_000_000),
            _ => batch.root = leaf_hash(&random.below(u64::MAX).to_be_bytes()),
        },
        Entry::Key(key) => match random.below(3) {
            0 => key.change = KeyChange::Retired,
            1 => key.fingerprint = Fingerprint([9; 32]),
            _ => key.at = Time::from_millis(random.below(1 << 40) + 1_000_000),
        },
        Entry::Restore(_) => unreachable!("the ledger has none"),
    }
    entry
}

/// A ledger of another past: where it differs first, counted from 0.
fn rewritten(ledger: &Ledger, random: &mut Random) -> (usize, Ledger) {
    let size = ledger.receipts.len();
    let at = random.below(size as u64) as usize;
    let mut rest: Vec<_> = ledger.receipts[at..].iter().map(|receipt| receipt.entry().clone()).collect();
    match random.below(6) {
        0 => rest[0] = changed(&rest[0], random),
        1 => _ = rest.remove(0),
        2 => rest.insert(0, changed(&rest[0], random)),
        3 if rest.len() > 1 => {
            let other = 1 + random.below(rest.len() as u64 - 1) as usize;
            rest.swap(0, other);
        }
        4 => rest.clear(),
        _ => rest = rest.iter().map(|entry| changed(entry, random)).collect(),
    }
    let mut other = with_entries(ledger, at, rest);
    let more = random.below(3) as usize;
    other.timeline = 1;
    other.receipts.extend(other.next(more));
    (at, other)
}

/// The claims of both anchors.
fn claims(paths: [&Path; 2]) -> Vec<Claim> {
    let passages = paths.into_iter().flat_map(|path| anchors::read(&path.into()).unwrap());
    passages.flat_map(|passage| passage.unwrap().claims()).collect()
}

/// The entries that are not as they are claimed to be, by their places counted from 0; and how many heads are not.
fn contradicted(ledger: &Ledger, claims: &[Claim]) -> (Vec<usize>, usize) {
    let (mut entries, mut heads) = (Vec::new(), 0);
    for claim in claims {
        match *claim {
            Claim::Leaf { seq, leaf } => {
                let place = seq as usize - 1;
                let found = ledger.receipts.get(place).map(Receipt::leaf);
                entries.extend((found != Some(leaf)).then_some(place));
            }
            Claim::Head(head) if head.size == 0 => assert_eq!(head, Edge::default().head()),
            Claim::Head(head) => heads += usize::from(ledger.root_at(head.size) != Some(head.root)),
        }
    }
    entries.sort_unstable();
    (entries, heads)
}

#[test]
fn every_rewrite_of_the_past_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["one", "two"].map(|name| folder.path().join(name));
    let (paths, mut random) = ([&*paths[0], &*paths[1]], Random::new());
    let (ledger, nodes) = signed_by_two(paths, 30, &mut random);
    let claims = claims(paths);
    let mut continued = ledger.clone();
    continued.receipts.extend(continued.next(5));
    for honest in [&ledger, &continued] {
        assert_eq!(contradicted(honest, &claims), (vec![], 0));
        assert!(nodes.iter().all(|node| matches!(honest.compare(node), Standing::Stands(_))));
    }
    let rewrites = count("TEST_REWRITES", 10_000);
    for _ in 0..rewrites {
        let (at, other) = rewritten(&ledger, &mut random);
        for node in &nodes {
            assert!(!matches!(other.compare(node), Standing::Stands(_)), "rewritten from {at} on");
        }
        let (entries, heads) = contradicted(&other, &claims);
        assert_eq!(entries.first(), Some(&at), "the first entry that is another");
        assert!(heads > 0);
    }
    println!("{rewrites} rewrites of {} entries, all found", ledger.receipts.len());
}
