//! Checks the ledger, after all batches were read.

use super::{Problem, anchored::Anchor, findings::Findings};
use crate::{
    domain::{
        ledger::Entry,
        promises::{Batches, Breach, Ledger},
    },
    store::{Audit, KeyRow, LedgerRow, StoreError},
};

/// What of the ledger was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many entries it has.
    pub entries: u64,
    /// Up to which entry it is as an anchor says; `None` without anchors.
    pub anchored: Option<u64>,
}

/// Receipts read at a time.
const PAGE: usize = 500;

/// Reads the whole ledger, up to where it is said to end. Entries are made anew of what is stored of their subjects.
pub(super) fn check(
    store: &dyn Audit,
    batches: &Batches,
    keys: &[KeyRow],
    anchors: Vec<Anchor>,
    findings: &Findings,
) -> Result<Extent, StoreError> {
    match check_readable(store, batches, keys, anchors, findings) {
        // What cannot be read hides what comes behind it.
        Err(StoreError::Corrupt(reason)) => {
            findings.add(Problem::Unreadable { what: "the ledger".to_owned(), reason });
            Ok(Extent::default())
        }
        result => result,
    }
}

fn check_readable(
    store: &dyn Audit,
    batches: &Batches,
    keys: &[KeyRow],
    mut anchors: Vec<Anchor>,
    findings: &Findings,
) -> Result<Extent, StoreError> {
    let LedgerRow { origin, head: said, .. } = store.ledger()?;
    let is_vouched_for = anchors.iter().any(|anchor| anchor.origin() == origin);
    anchors.iter_mut().for_each(|anchor| anchor.begin(origin, is_vouched_for, findings));
    let mut ledger = Ledger::default();
    let mut after = 0;
    while after < said.size {
        let mut page = store.receipts(after, PAGE)?;
        // What other processes add during the check is left for the next one.
        page.retain(|receipt| receipt.seq <= said.size);
        let Some(last) = page.last() else { break };
        after = last.seq;
        for receipt in &page {
            ledger.see(receipt).into_iter().for_each(|breach| findings.add(breach));
            if let Some(Entry::Restore(restored)) = &receipt.entry {
                anchors.iter_mut().for_each(|anchor| anchor.restored(restored, findings));
            }
            if let Some(entry) = &receipt.entry {
                let (leaf, head) = (entry.leaf(), ledger.head());
                anchors.iter_mut().for_each(|anchor| anchor.see(leaf, head, findings));
            }
        }
    }
    ledger.check_end(said).into_iter().for_each(|breach| findings.add(breach));
    ledger.check_restores(origin, batches).into_iter().for_each(|breach| findings.add(breach));
    ledger.check_signed(batches).for_each(|breach| findings.add(breach));
    let missing = keys.iter().filter_map(|key| ledger.check_key(key.id, &key.fingerprint, key.state));
    missing.for_each(|breach| findings.add(breach));
    let now = store.keys()?;
    let back = now.iter().filter_map(|key| ledger.check_retired(key.id, &key.fingerprint, key.state));
    back.for_each(|breach| findings.add(breach));
    // A receipt is never visible before the end that includes it.
    let behind = store.receipts(said.size, 1)?;
    let (now, behind) = (store.ledger()?.head.size, behind.first().map_or(0, |receipt| receipt.seq));
    if behind > now {
        findings.add(Breach::LedgerEndsOtherwise { said: now, found: behind });
    }
    let anchored = anchors.into_iter().map(|anchor| anchor.end(now, findings)).max();
    Ok(Extent { entries: said.size, anchored })
}
