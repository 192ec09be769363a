//! Checks the records of a batch, each with its signature. Most of the time of a check is spent here.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Problem, group::Group, scan::Scan};
use crate::{
    domain::{
        BatchState, Runs,
        ledger::{Edge, Hash},
        promises::{Breach, Checked, Records},
    },
    store::{BatchRow, StoreError},
};

/// A batch whose records are being checked.
pub(super) struct Checking {
    row: BatchRow,
    /// The root in its receipt. It is not compared if the batch was not signed when it was read.
    receipt: Option<Hash>,
    /// The roots of the pieces that are checked, each with its place.
    roots: Mutex<Vec<(usize, Option<Hash>)>>,
}

/// Some of the records of one batch. All pieces but the last have [`PIECE`](super::batches::PIECE) records, a power of two,
/// so the root of a batch is that of the tree over the roots of its pieces.
pub(super) struct Piece {
    pub(super) batch: Arc<Checking>,
    /// Its place, from 0, and how many there are.
    pub(super) place: (usize, usize),
    pub(super) records: Runs,
}

impl Checking {
    pub(super) fn new(row: BatchRow, receipt: Option<Hash>) -> Self {
        Self { row, receipt, roots: Mutex::default() }
    }

    pub(super) fn row(&self) -> &BatchRow {
        &self.row
    }

    /// Notes the root of a piece. With that of the last one, the whole is compared with the receipt. Where a piece has no
    /// root, something else is wrong, and is reported.
    fn note(&self, (place, of): (usize, usize), root: Option<Hash>) -> Option<Breach> {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        roots.push((place, root));
        if roots.len() < of {
            return None;
        }
        roots.sort_unstable_by_key(|(place, _)| *place);
        let whole = roots.iter().map(|(_, root)| *root).collect::<Option<Edge>>()?.root();
        self.receipt
            .is_some_and(|receipt| receipt != whole)
            .then_some(Breach::NotAsInReceipt { batch: self.row.id })
    }
}

/// Checks the records of a piece; returns how many signatures verified.
pub(super) fn check_piece(scan: &Scan<'_>, piece: &Piece) -> Result<u64, StoreError> {
    match check_as_now(scan, piece.batch.row(), &piece.records) {
        Err(StoreError::Corrupt(reason)) => {
            let what = format!("a record of batch {}", piece.batch.row.id);
            scan.findings.add(Problem::Unreadable { what, reason });
            Ok(0)
        }
        Err(error) => Err(error),
        Ok((checked, root)) => {
            checked.breaches.into_iter().for_each(|breach| scan.findings.add(breach));
            piece.batch.note(piece.place, root).into_iter().for_each(|breach| scan.findings.add(breach));
            Ok(checked.verified)
        }
    }
}

/// Signatures that seem too early may belong to a commit that signed the batch after its row was read. The row is
/// then read again, and the check repeated.
fn check_as_now(
    scan: &Scan<'_>,
    batch: &BatchRow,
    records: &Runs,
) -> Result<(Checked, Option<Hash>), StoreError> {
    let (checked, root) = check(scan, batch, records)?;
    if batch.state != BatchState::Signed
        && !checked.breaches.is_empty()
        && let Some(now) = scan.reread(batch.id)?.filter(|now| now.state == BatchState::Signed)
    {
        return check(scan, &now, records);
    }
    Ok((checked, root))
}

/// Also returns the root of the tree over the records, if nothing is wrong with them.
fn check(scan: &Scan<'_>, batch: &BatchRow, records: &Runs) -> Result<(Checked, Option<Hash>), StoreError> {
    let key = match (batch.state, batch.key.zip(batch.scheme)) {
        (BatchState::Open | BatchState::Leased | BatchState::Lost, _) => None,
        // A row without key or scheme has already been reported.
        (BatchState::Signed, None) => return Ok((Checked::default(), None)),
        (BatchState::Signed, Some((key, scheme))) => match scan.keys.key(key)? {
            Some(found) => Some((found, scheme)),
            None => {
                // The missing key is reported once for the batch, not for each of its pieces.
                let is_first = records.first() == batch.records.first();
                let breaches = is_first.then_some(Breach::NoKey { batch: batch.id, key });
                return Ok((Checked { verified: 0, breaches: breaches.into_iter().collect() }, None));
            }
        },
    };
    let mut checked = Records::new(batch, records);
    // A batch that is not signed has no key, and its records must have no signatures.
    let mut group = Group::new(key.as_ref().map(|(key, scheme)| (&**key, *scheme)));
    let read = scan.store.read_signed(records, &mut |row| group.add(row, &mut checked));
    group.judge(&mut checked);
    if let Err(error) = read {
        checked.abandon().breaches.into_iter().for_each(|breach| scan.findings.add(breach));
        return Err(error);
    }
    let checked = checked.end();
    let root = group.root(records.len()).filter(|_| checked.breaches.is_empty());
    Ok((checked, root))
}
