//! Checks the ledger: each signed batch has one receipt, and every root is that of the entries before it.

use std::collections::HashSet;

use super::{Batches, Breach, covered::Covered};
use crate::domain::{
    BatchId, Fingerprint, KeyId, KeyState,
    ledger::{Edge, Entry, Hash, Head, KeyChange, Origin},
};

/// What must be remembered of the receipts seen so far: a few hundred bytes, because batches are signed nearly in the order
/// of their ids.
#[derive(Default)]
pub struct Ledger {
    tree: Edge,
    /// The batches that have a receipt.
    receipts: Covered,
    /// The keys that were added and retired.
    added: HashSet<Fingerprint>,
    retired: HashSet<Fingerprint>,
    /// How many restores were accepted.
    restores: u32,
    /// The batches that were lost with the last restore.
    lost: Option<Head>,
    /// Whether a root was wrong. Then all roots behind it are, too.
    is_wrong: bool,
}

/// A receipt as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptFact {
    /// Its number.
    pub seq: u64,
    /// The batch that it is of.
    pub batch: Option<BatchId>,
    /// The entry, made of what is stored of its subject; `None` if that makes none.
    pub entry: Option<Entry>,
    /// The stored root of the tree that ends with this entry.
    pub root: Hash,
}

impl Ledger {
    /// Takes the next receipt, in their order. Returns what is wrong with it.
    pub fn see(&mut self, receipt: &ReceiptFact) -> Vec<Breach> {
        let ReceiptFact { seq, batch, entry, root } = receipt;
        let (seq, before, mut breaches) = (*seq, self.tree.size(), Vec::new());
        if seq != before + 1 && !self.is_wrong {
            breaches.push(Breach::LedgerHasGap { before, seq });
            self.is_wrong = true;
        }
        if let Some(batch) = *batch
            && self.receipts.add(batch.0, batch.0).is_some()
        {
            breaches.push(Breach::TwoReceipts { batch, seq });
        }
        let Some(entry) = entry else {
            breaches.push(Breach::NoEntry { seq });
            self.is_wrong = true;
            return breaches;
        };
        let subject = match entry {
            Entry::Batch(signed) => Some(signed.batch),
            Entry::Key(_) | Entry::Restore(_) => None,
        };
        if subject != *batch {
            breaches.push(Breach::WrongSubject { seq });
        }
        match entry {
            Entry::Key(key) => {
                let keys = match key.change {
                    KeyChange::Added => &mut self.added,
                    KeyChange::Retired => &mut self.retired,
                };
                keys.insert(key.fingerprint);
            }
            Entry::Restore(restored) => {
                self.restores += 1;
                self.lost = Some(restored.batches);
                let kept = Head { size: restored.kept, root: restored.root };
                let is_next =
                    restored.from.incarnation.get() == self.restores && restored.lost > restored.kept;
                if !self.is_wrong && (kept != self.head() || !is_next) {
                    breaches.push(Breach::WrongRestore { seq });
                }
            }
            Entry::Batch(_) => {}
        }
        self.tree.push(entry.leaf());
        if self.tree.root() != *root && !self.is_wrong {
            breaches.push(Breach::WrongRoot { seq });
            self.is_wrong = true;
        }
        breaches
    }

    /// How far the receipts that were seen are.
    pub fn head(&self) -> Head {
        Head { size: self.tree.size(), root: self.tree.root() }
    }

    /// Checks how far the ledger is said to be, after the last receipt.
    pub fn check_end(&self, said: Head) -> Option<Breach> {
        let found = self.head();
        if self.is_wrong || said == found {
            return None;
        }
        Some(match said.size == found.size {
            true => Breach::WrongEdge,
            false => Breach::LedgerEndsOtherwise { said: said.size, found: found.size },
        })
    }

    /// Checks which incarnation the ledger is said to be, after the last receipt, and that those batches are lost that became it
    /// in a restore.
    pub fn check_restores(&self, said: Origin, batches: &Batches) -> Vec<Breach> {
        let (said, found) = (said.incarnation.get(), self.restores + 1);
        let is_other = said != found && !self.is_wrong;
        let lost = batches.lost.head();
        let others = match self.lost {
            _ if self.is_wrong => None,
            None => (lost.size > 0).then_some(Breach::LostWithoutRestore { batches: lost.size }),
            Some(last) => {
                (lost != last).then_some(Breach::LostOtherwise { said: last.size, found: lost.size })
            }
        };
        let wrong = is_other.then_some(Breach::WrongIncarnation { said, found });
        wrong.into_iter().chain(others).collect()
    }

    /// Checks that the entries say of a key what its row says. The row must have been read first, then the receipts.
    pub fn check_key(&self, key: KeyId, fingerprint: &Fingerprint, state: KeyState) -> Option<Breach> {
        let is_retired = state == KeyState::Retired;
        let is_missing =
            !self.added.contains(fingerprint) || is_retired && !self.retired.contains(fingerprint);
        (is_missing && !self.is_wrong).then_some(Breach::KeyNotInLedger { key })
    }

    /// Checks that a key is retired if the entries say so. The receipts must have been read first, then the row.
    pub fn check_retired(&self, key: KeyId, fingerprint: &Fingerprint, state: KeyState) -> Option<Breach> {
        let is_back = state != KeyState::Retired && self.retired.contains(fingerprint);
        (is_back && !self.is_wrong).then_some(Breach::KeyIsBack { key })
    }

    /// Checks that every signed batch has a receipt. The batches must have been read first, then the receipts.
    pub fn check_signed<'a>(&'a self, batches: &'a Batches) -> impl Iterator<Item = Breach> + use<'a> {
        let lacks = |batch: &i64| !self.receipts.contains(*batch);
        batches.signed.iter().filter(lacks).map(|batch| Breach::NoReceipt { batch: BatchId(batch) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::{Receipt, Restored, leaf_hash};

    /// Receipts of keys and, as number 2, of batch 1.
    fn sound() -> (Vec<ReceiptFact>, Head) {
        let key = format!("signwave/key/v1\nadded\n{}\n2026-11-27T12:00:00.000Z\n", "0".repeat(64));
        let root = leaf_hash(b"records");
        let batch = format!(
            "signwave/batch/v1\n1\n1-2\n1\nPS256\n{}\n2026-11-27T12:00:00.000Z\n{root}\n",
            "0".repeat(64)
        );
        let (mut edge, entries) = (Edge::default(), [&key, &batch, &key]);
        let receipts = entries.map(|text| Receipt::new(&mut edge, text.parse().unwrap()));
        let fact = |receipt: Receipt| ReceiptFact {
            seq: receipt.seq(),
            batch: matches!(receipt.entry(), Entry::Batch(_)).then_some(BatchId(1)),
            root: receipt.head().root,
            entry: Some(receipt.entry().clone()),
        };
        (receipts.map(fact).to_vec(), edge.head())
    }

    /// What is found after a change.
    fn found(change: impl FnOnce(&mut Vec<ReceiptFact>, &mut Head)) -> Vec<Breach> {
        let (mut receipts, mut said) = sound();
        change(&mut receipts, &mut said);
        let mut ledger = Ledger::default();
        let mut breaches: Vec<_> = receipts.iter().flat_map(|receipt| ledger.see(receipt)).collect();
        breaches.extend(ledger.check_end(said));
        let mut batches = Batches::default();
        batches.signed.add(1, 1);
        breaches.extend(ledger.check_signed(&batches));
        breaches
    }

    #[test]
    fn p9_each_signed_batch_has_a_receipt_and_each_root_is_that_of_the_entries() {
        let batch = BatchId(1);
        assert_eq!(found(|_, _| ()), []);
        assert_eq!(found(|receipts, _| receipts[0].root = receipts[1].root), [Breach::WrongRoot { seq: 1 }]);
        assert_eq!(
            found(|receipts, _| receipts[1].entry = receipts[0].entry.clone()),
            [Breach::WrongSubject { seq: 2 }, Breach::WrongRoot { seq: 2 }]
        );
        assert_eq!(found(|receipts, _| receipts[2].entry = None), [Breach::NoEntry { seq: 3 }]);
        assert_eq!(
            found(|receipts, _| receipts[2].batch = Some(batch)),
            [Breach::TwoReceipts { batch, seq: 3 }, Breach::WrongSubject { seq: 3 }]
        );
        // The entry of a batch stays as text, so that its batch can be signed again.
        assert_eq!(
            found(|receipts, _| receipts[1].batch = None),
            [Breach::WrongSubject { seq: 2 }, Breach::NoReceipt { batch }]
        );
        assert_eq!(
            found(|receipts, _| _ = receipts.remove(1)),
            [Breach::LedgerHasGap { before: 1, seq: 3 }, Breach::NoReceipt { batch }]
        );
        let ends = Breach::LedgerEndsOtherwise { said: 3, found: 2 };
        assert_eq!(found(|receipts, _| _ = receipts.pop()), [ends]);
        assert_eq!(found(|receipts, said| said.root = receipts[0].root), [Breach::WrongEdge]);
    }

    #[test]
    fn p9_a_key_is_in_the_ledger_when_it_is_added_and_retired() {
        let mut ledger = Ledger::default();
        sound().0.iter().for_each(|receipt| _ = ledger.see(receipt));
        let key = KeyId(7);
        let breach = Some(Breach::KeyNotInLedger { key });
        assert_eq!(ledger.check_key(key, &Fingerprint([0; 32]), KeyState::Active), None);
        assert_eq!(ledger.check_key(key, &Fingerprint([0; 32]), KeyState::Retired), breach);
        assert_eq!(ledger.check_key(key, &Fingerprint([1; 32]), KeyState::Active), breach);
        assert_eq!(ledger.check_retired(key, &Fingerprint([0; 32]), KeyState::Active), None);
        let retired = format!("signwave/key/v1\nretired\n{}\n2026-11-27T12:00:00.000Z\n", "0".repeat(64));
        let entry = Some(retired.parse().unwrap());
        _ = ledger.see(&ReceiptFact { seq: 4, batch: None, entry, root: leaf_hash(b"") });
        ledger.is_wrong = false;
        assert_eq!(ledger.check_retired(key, &Fingerprint([0; 32]), KeyState::Retired), None);
        let breach = Some(Breach::KeyIsBack { key });
        assert_eq!(ledger.check_retired(key, &Fingerprint([0; 32]), KeyState::Disabled), breach);
    }

    /// Batches of which so many are lost.
    fn batches(lost: i64) -> Batches {
        let mut batches = Batches::default();
        (1..=lost).for_each(|id| batches.lost.add(BatchId(id), &"1-3".parse().unwrap()));
        batches
    }

    /// What is wrong with a ledger that goes on with this restore, and is said to be the incarnation `said`.
    fn found_with(change: impl FnOnce(&mut Restored), said: u32, lost: i64) -> Vec<Breach> {
        let (mut receipts, head) = sound();
        let mut edge = Edge::default();
        receipts.iter().for_each(|receipt| edge.push(receipt.entry.as_ref().unwrap().leaf()));
        let mut restored = Restored {
            from: "signwave/0123456789abcdef/1".parse().unwrap(),
            kept: head.size,
            root: head.root,
            lost: head.size + 2,
            batches: batches(lost).lost.head(),
            at: "2026-11-27T12:00:00.000Z".parse().unwrap(),
            reason: "why".parse().unwrap(),
        };
        change(&mut restored);
        let origin = Origin { incarnation: said.try_into().unwrap(), ..restored.from };
        let receipt = Receipt::new(&mut edge, Entry::Restore(restored));
        let entry = Some(receipt.entry().clone());
        receipts.push(ReceiptFact { seq: receipt.seq(), batch: None, entry, root: receipt.head().root });
        let mut ledger = Ledger::default();
        let mut breaches: Vec<_> = receipts.iter().flat_map(|receipt| ledger.see(receipt)).collect();
        breaches.extend(ledger.check_restores(origin, &batches(lost)));
        breaches
    }

    #[test]
    fn p9_a_restore_begins_where_the_ledger_was_and_is_the_only_way_to_lose() {
        assert_eq!(found_with(|_| (), 2, 1), []);
        let wrong = [Breach::WrongRestore { seq: 4 }];
        assert_eq!(found_with(|restored| restored.kept -= 1, 2, 0), wrong);
        assert_eq!(found_with(|restored| restored.root = leaf_hash(b""), 2, 0), wrong);
        assert_eq!(found_with(|restored| restored.lost = restored.kept, 2, 0), wrong);
        let later = "signwave/0123456789abcdef/2".parse().unwrap();
        assert_eq!(found_with(|restored| restored.from = later, 2, 0), wrong);
        assert_eq!(found_with(|_| (), 3, 0), [Breach::WrongIncarnation { said: 3, found: 2 }]);
        let other = [Breach::LostOtherwise { said: 2, found: 1 }];
        assert_eq!(found_with(|restored| restored.batches = batches(2).lost.head(), 2, 1), other);
        let origin = "signwave/0123456789abcdef/1".parse().unwrap();
        assert_eq!(Ledger::default().check_restores(origin, &batches(0)), []);
        let lost = [Breach::LostWithoutRestore { batches: 2 }];
        assert_eq!(Ledger::default().check_restores(origin, &batches(2)), lost);
    }
}
