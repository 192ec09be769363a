//! Databases that were put back, and whose loss is accepted.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    slice::from_ref,
};

use signwave::{
    anchors::{self, AnchorError, Loss, LossError},
    domain::{BatchId, BatchState, RecordId},
    store::{AcceptVerdict, Acceptance, DatabaseUrl, RecordName, Store, StoreError, Wanted, open_to_restore},
};
use support::{
    promises::Promises,
    random::count,
    store::{add_records, addresses, by, copy, lease, open, open_with, sign},
};

use crate::{copies::Copies, history::refusal};

const ROUND: i64 = 1_000_000_000;

/// The records of each batch that is signed.
fn signed(store: &dyn Store) -> BTreeMap<BatchId, Vec<RecordId>> {
    let batches = store.batches(BatchId(0), usize::MAX).unwrap();
    let signed = batches.into_iter().filter(|batch| batch.state == BatchState::Signed);
    signed.map(|batch| (batch.id, batch.records.iter().collect())).collect()
}

/// Every record that has a signature.
pub fn signed_records(store: &dyn Store) -> BTreeSet<RecordId> {
    signed(store).into_values().flatten().collect()
}

pub fn accept(url: &DatabaseUrl, anchors: &[PathBuf], signs_again: bool) -> Result<AcceptVerdict, LossError> {
    let store = open_to_restore(url).unwrap();
    let ledger = store.ledger().unwrap();
    let anchors = addresses(anchors);
    let loss = Loss::read(&anchors, ledger.origin, ledger.head)?;
    let reason = "the disk died".parse().unwrap();
    let verdict = store.accept(Acceptance { loss: &loss, reason: &reason, signs_again }, &by()).unwrap();
    let now = store.ledger().unwrap();
    let AcceptVerdict::Accepted { retired_keys, .. } = verdict else { panic!("{verdict:?}") };
    let size = ledger.head.size + 1 + retired_keys;
    assert_eq!((now.origin, now.head.size), (ledger.origin.next().unwrap(), size));
    for anchor in &anchors {
        anchors::succeed(anchor, ledger.origin, now.origin, now.head).unwrap();
    }
    Ok(verdict)
}

/// Signs all that there is, together with other records.
pub fn sign_all(store: &dyn Store) {
    add_records(store, 5);
    let node = support::store::register(store);
    store.reclaim(Some(node), std::time::Duration::ZERO).unwrap();
    loop {
        open(store, 2, 4, true);
        let leases = lease(store, node, 2);
        if leases.is_empty() {
            return;
        }
        store.commit(&leases.iter().map(|lease| sign(copy(lease))).collect::<Vec<_>>()).unwrap();
    }
}

/// What was signed before a database was put back.
pub struct Before {
    /// The records of each signed batch.
    pub signed: BTreeMap<BatchId, Vec<RecordId>>,
}

impl Before {
    /// As this database has it.
    pub fn of(store: &dyn Store) -> Self {
        Self { signed: signed(store) }
    }

    /// Accepts the loss of a database that was put back, and signs all there is. No record and no id may come twice.
    pub fn is_accepted(&self, url: &DatabaseUrl, anchors: &[PathBuf]) {
        let (kept, there, lost_before) = {
            let store = open_to_restore(url).unwrap();
            let (mut there, everything) = (BTreeSet::new(), format!("1-{}", i64::MAX).parse().unwrap());
            store.read_signed(&everything, &mut |row| _ = there.insert(row.record)).unwrap();
            (signed(&*store), there, store.status().unwrap().lost)
        };
        let lost: BTreeMap<_, _> = self.signed.iter().filter(|(id, _)| !kept.contains_key(id)).collect();
        let is_lost = |record: &RecordId| lost.values().any(|records| records.contains(record));
        let verdict = accept(url, anchors, false).unwrap();
        let here = there.iter().filter(|record| is_lost(record)).count() as u64;
        let all: u64 = lost.values().map(|records| records.len() as u64).sum();
        let AcceptVerdict::Accepted { batches, kept_records, lost_records, last_id, .. } = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!((batches, kept_records, lost_records), (lost.len() as u64, here, all - here));
        let used = there.iter().chain(self.signed.values().flatten()).max();
        assert!(last_id.0 % ROUND == 0 && Some(&last_id) > used, "{used:?} {last_id}");

        let store = open_with(url, anchors).unwrap();
        let mut promises = Promises::verified_by(|_| true);
        promises.check(&*store);
        sign_all(&*store);
        promises.check(&*store);
        let now = signed(&*store);
        for (id, records) in &now {
            let is_kept = kept.get(id) == Some(records);
            assert!(is_kept || !self.signed.contains_key(id), "batch {id} has two meanings");
            assert!(!records.iter().any(is_lost), "{records:?} are signed again");
            let is_new = |record: &RecordId| there.contains(record) || *record > last_id;
            assert!(records.iter().all(is_new), "{records:?} had been given to others");
        }
        // All that was never signed is signed now.
        let status = store.status().unwrap();
        assert_eq!((status.waiting(), status.lost), (0, lost_before + here), "{status:?}");
        assert_eq!(status.signed, now.values().map(|records| records.len() as u64).sum::<u64>());
        for record in lost.values().copied().flatten() {
            let wanted = Wanted { unsigned_batch: true, ..Wanted::default() };
            let row = store.record(RecordName::Id(*record), wanted).unwrap();
            let state = row.map(|row| row.batch.unwrap().state);
            assert_eq!(state, there.contains(record).then_some(BatchState::Lost));
        }
    }
}

#[test]
fn what_was_lost_is_never_signed_again_and_no_id_means_two_things() {
    let commits = count("TEST_COPIES", 8);
    let copies = Copies::of(commits);
    for newest in 1..=commits {
        copies.put(newest);
        let before = Before::of(&*copies.open());
        for older in 0..newest {
            copies.put(older);
            copies.anchor(newest);
            refusal(&copies.url(), &copies.anchors());
            copies.end_leases_of_nodes();
            before.is_accepted(&copies.url(), &copies.anchors());
            copies.forget_second_life();
        }
    }
}

#[test]
fn only_who_says_so_signs_lost_records_again() {
    let copies = Copies::of(3);
    copies.put(3);
    let had = signed_records(&*copies.open());
    copies.put(1);
    accept(&copies.url(), &copies.anchors(), true).unwrap();
    let store = open_with(&copies.url(), &copies.anchors()).unwrap();
    sign_all(&*store);
    Promises::verified_by(|_| true).check(&*store);
    let there: BTreeSet<_> = had.into_iter().filter(|id| id.0 <= 7).collect();
    assert!(signed_records(&*store).is_superset(&there));
}

#[test]
fn a_loss_can_be_accepted_only_as_far_as_it_is_known() {
    let copies = Copies::of(4);
    copies.put(4);
    let [anchor] = copies.anchors();
    assert!(matches!(accept(&copies.url(), &copies.anchors(), false), Err(LossError::Nothing { .. })));

    // The database went on without its anchor.
    copies.put(2);
    copies.signing.go_on_from(2, &*copies.open());
    copies.is_closed();
    assert!(matches!(accept(&copies.url(), &copies.anchors(), false), Err(LossError::Diverged { .. })));

    // An anchor that does not know of one of the commits.
    copies.put(1);
    let text = std::fs::read_to_string(&anchor).unwrap();
    let size = copies.sizes[2];
    let is_of = |line: &&str| {
        line.starts_with(&format!("B {size} "))
            || line.starts_with(&format!("H {size} "))
            || *line == format!("C {size}")
    };
    let gap: String = text.lines().filter(|line| !is_of(line)).map(|line| format!("{line}\n")).collect();
    std::fs::write(&anchor, gap).unwrap();
    let refused = accept(&copies.url(), &copies.anchors(), false);
    assert_eq!(refused, Err(LossError::Incomplete { first: size, last: size }));
    // Two that know all of it together.
    std::fs::copy(&anchor, copies.path("other")).unwrap();
    let part: String = text
        .lines()
        .filter(|line| line.starts_with("signwave/") || is_of(line))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(&anchor, part).unwrap();
    let both = [anchor, copies.path("other")];
    assert!(matches!(accept(&copies.url(), &both, false), Ok(AcceptVerdict::Accepted { batches: 3, .. })));
    // Both are begun anew, and both know the new incarnation.
    open_with(&copies.url(), &both).unwrap();
}

/// What was signed after a restore is not in the anchors before it, so they accept no backup from before it.
#[test]
fn an_anchor_that_was_set_aside_accepts_nothing_more() {
    let copies = Copies::of(3);
    copies.put(2);
    accept(&copies.url(), &copies.anchors(), false).unwrap();
    sign_all(&*open_with(&copies.url(), &copies.anchors()).unwrap());
    copies.put(1);
    let [anchor] = copies.anchors();
    assert!(refusal(&copies.url(), from_ref(&anchor)).contains("belongs to the ledger"));
    let (now, aside) = (accept(&copies.url(), &[anchor], false), copies.path("anchor.1"));
    assert!(matches!(&now, Err(LossError::Anchor(AnchorError::OtherOrigin { .. }))), "{now:?}");
    assert!(now.unwrap_err().to_string().contains("can be neither healed nor accepted"));
    // The later anchor halts it for everybody.
    assert!(refusal(&copies.url(), &[]).contains("belongs to the ledger"), "it is halted");
    let again = accept(&copies.url(), from_ref(&aside), false);
    assert!(matches!(&again, Err(LossError::Anchor(AnchorError::Succeeded { .. }))), "{again:?}");
    let opened = open_with(&copies.url(), &[aside]).map(drop);
    assert!(
        matches!(&opened, Err(StoreError::BadAnchor(why)) if why.contains("was set aside")),
        "{opened:?}"
    );
}

#[test]
fn a_loss_is_accepted_while_no_node_is_at_work_and_nothing_else_happens() {
    let copies = Copies::of(2);
    copies.put(1);
    let store = open_to_restore(&copies.url()).unwrap();
    let ledger = store.ledger().unwrap();
    let loss = Loss::read(&addresses(&copies.anchors()), ledger.origin, ledger.head).unwrap();
    let reason = "why".parse().unwrap();
    let acceptance = Acceptance { loss: &loss, reason: &reason, signs_again: false };
    // Its batches are not those of the anchor.
    let mut other = loss.clone();
    other.batches[0].records = [RecordId(1)].into_iter().collect();
    let refused = store.accept(Acceptance { loss: &other, ..acceptance }, &by());
    assert!(
        matches!(&refused, Err(StoreError::Refused(why)) if why.contains("put the same backup back")),
        "{refused:?}"
    );
    let working = copies.open();
    let node = support::store::register(&*working);
    let refused = store.accept(acceptance, &by());
    assert!(matches!(&refused, Err(StoreError::Refused(why)) if why.contains("is at work")), "{refused:?}");
    working.remove_node(node).unwrap();
    drop(working);
    let accepted = store.accept(acceptance, &by()).unwrap();
    assert!(matches!(accepted, AcceptVerdict::Accepted { batches: 1, .. }), "{accepted:?}");
    assert_eq!(store.accept(acceptance, &by()).unwrap(), AcceptVerdict::Changed);
    let restored = store.end_of(ledger.origin).unwrap().unwrap();
    assert_eq!(
        (restored.kept, restored.lost, restored.root),
        (ledger.head.size, loss.size, ledger.head.root)
    );
    assert_eq!(store.end_of(ledger.origin.next().unwrap()).unwrap(), None);
}
