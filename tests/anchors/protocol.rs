//! What anchors remember, and what a database must have.

use std::slice;

use signwave::anchors::{self, AnchorError, Anchors, Missing, Past, Standing};

use crate::{
    ledger::{Ledger, open_all, origin},
    site::Site,
};

pub fn a_database_that_went_back_is_behind_its_anchor_at_every_size(site: &Site) {
    let mut ledger = Ledger::default();
    let anchors = site.open();
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
    let anchors = site.open();
    assert_eq!(anchors.known(), [ledger.head()]);
    assert!(matches!(ledger.back(19).compare(&anchors), Standing::Behind { .. }));
    ledger.commit(&anchors, 3);
}

pub fn a_database_of_another_history_is_another_however_long_it_is(site: &Site) {
    let mut ledger = Ledger::of(5);
    let anchors = site.open();
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

pub fn what_became_of_the_last_commit_is_found_in_the_database(site: &Site) {
    for is_committed in [true, false] {
        for restarts in [true, false] {
            let site = site.another();
            let mut ledger = Ledger::of(4);
            let mut anchors = site.open();
            let (pending, receipts) = ledger.intend(&anchors, 2);
            drop(pending);
            if restarts {
                drop(anchors);
                anchors = site.open();
            }
            assert_eq!(anchors.known(), [ledger.head()]);
            if is_committed {
                ledger.receipts.extend(receipts);
            }
            ledger.permit(&anchors).saw();
            assert_eq!(anchors.known(), [ledger.head()]);
            drop(anchors);
            let anchors = site.open();
            assert_eq!(anchors.known(), [ledger.head()], "it was settled for good");
            assert!(matches!(ledger.back(3).compare(&anchors), Standing::Behind { .. }));
            ledger.commit(&anchors, 1);
        }
    }
}

pub fn a_commit_that_still_goes_on_is_not_given_up_by_a_look_at_the_database(site: &Site) {
    let mut ledger = Ledger::of(4);
    let anchors = site.open();
    let (pending, receipts) = ledger.intend(&anchors, 2);
    ledger.permit(&anchors).saw();
    ledger.receipts.extend(receipts);
    pending.committed();
    drop(anchors);
    assert!(matches!(ledger.back(4).compare(&site.open()), Standing::Behind { .. }));
}

pub fn a_commit_that_was_rolled_back_is_not_expected_of_the_database(site: &Site) {
    let mut ledger = Ledger::of(4);
    let anchors = site.open();
    for _ in 0..3 {
        let (pending, _) = ledger.intend(&anchors, 7);
        pending.rolled_back();
    }
    let (pending, _) = ledger.intend(&anchors, 7);
    drop(pending);
    assert_eq!(anchors.known(), [ledger.head()]);
    ledger.commit(&anchors, 1);
    drop(anchors);
    assert_eq!(site.open().known(), [ledger.head()]);
}

/// On PostgreSQL the next commit can be at its intent before the process has heard of the last one.
pub fn the_next_commit_confirms_the_last_one(site: &Site) {
    for hears in [true, false] {
        let site = site.another();
        let mut ledger = Ledger::of(4);
        let anchors = site.open();
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
        assert_eq!(site.open().known(), [ledger.head()]);
    }
}

/// A server takes over that lacks a commit, while the old one still says that it was made.
pub fn a_commit_that_only_the_old_server_has_is_missed(site: &Site) {
    let ledger = Ledger::of(4);
    let anchors = site.open();
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

pub fn what_others_committed_is_remembered_when_it_was_seen(site: &Site) {
    let mut ledger = Ledger::of(4);
    let anchors = site.open();
    ledger.commit(&anchors, 1);
    for _ in 0..3 {
        ledger.receipts.extend(ledger.next(5));
        ledger.permit(&anchors).saw();
        ledger.permit(&anchors).saw();
    }
    let seen = ledger.clone();
    ledger.receipts.extend(ledger.next(5));
    drop(anchors);
    let anchors = site.open();
    assert_eq!(anchors.known().last(), Some(&seen.head()));
    assert!(matches!(seen.back(19).compare(&anchors), Standing::Behind { .. }));
    ledger.commit(&anchors, 1);
    let text = site.text();
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

pub fn in_the_course_of_commits_the_database_is_not_asked(site: &Site) {
    let (mut ledger, anchors) = (Ledger::of(4), site.open());
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

pub fn the_database_must_have_what_any_of_several_files_knows(site: &Site) {
    let (other, third) = (site.another(), site.another());
    let [path, other, third] = [site, &other, &third].map(|site| site.address.clone());
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
    assert_eq!(open_all(&[other]).known(), [ledger.head()]);
}

pub fn one_process_has_an_anchor(site: &Site) {
    let anchors = site.open();
    let refused = site.try_open(Missing::Create).unwrap_err();
    assert_eq!(refused, AnchorError::InUse(site.address.clone()));
    site.another().open();
    drop(anchors);
    site.open();
}

pub fn one_that_is_missing_is_made_only_where_that_is_wanted(site: &Site) {
    let missing = AnchorError::Missing(site.address.clone());
    assert!(!anchors::is_there(&site.address).unwrap());
    assert_eq!(site.try_open(Missing::Refuse).unwrap_err(), missing);
    assert_eq!(anchors::read(&site.address).err(), Some(missing));
    assert!(!anchors::is_there(&site.address).unwrap(), "nothing was made");
    site.open();
    assert!(anchors::is_there(&site.address).unwrap());
    site.try_open(Missing::Refuse).unwrap();
}

pub fn one_that_was_set_aside_stays_readable_and_the_next_one_takes_its_place(site: &Site) {
    let mut ledger = Ledger::of(4);
    ledger.commit(&site.open(), 2);
    let (from, to) = (origin(), origin().next().unwrap());
    let succeed = || anchors::succeed(&site.address, from, to, ledger.head()).unwrap();
    let aside = succeed();
    assert_eq!(succeed(), aside, "the second time there is nothing to do");
    assert_eq!(aside.to_string(), format!("{}.1", site.address));
    assert!(anchors::is_aside(&aside, from) && !anchors::is_aside(&site.address, from));
    let reader = anchors::read(&aside).unwrap();
    assert_eq!((reader.origin(), reader.succeeded()), (from, Some(to)));
    assert_eq!(reader.count(), 1, "what it knew");
    let reader = anchors::read(&site.address).unwrap();
    assert_eq!((reader.origin(), reader.succeeded(), reader.count()), (to, None, 1));
    let refused = site.try_open(Missing::Create).unwrap_err();
    assert!(matches!(refused, AnchorError::OtherOrigin { .. }), "{refused}");
    let refused = Anchors::open(&[aside], from, Missing::Create).unwrap_err();
    assert!(refused.to_string().contains("was set aside"), "{refused}");
    let anchors = Anchors::open(slice::from_ref(&site.address), to, Missing::Refuse).unwrap();
    assert_eq!(anchors.known(), [ledger.head()]);
}
